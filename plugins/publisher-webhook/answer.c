/*
 * answer.c - what a receiver answered, as far as it matters
 * SPDX-License-Identifier: MIT
 */
#include "answer.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

void answer_init(struct answer *answer)
{
    answer->status = 0;
    answer->is_complete = answer->is_endless = false;
    answer->header_bytes = answer->body_bytes = answer->kept_bytes = 0;
    answer->retry_after[0] = answer->date[0] = '\0';
}

/* The number in "HTTP/1.1 204 No Content"; 0 if there is none. */
static long parse_status(struct outbox_slice line)
{
    const char *blank = memchr(line.data, ' ', line.len);
    long status = 0;
    if (!blank || (uint64_t)(line.data + line.len - blank) < 4)
        return 0;
    for (int i = 1; i <= 3; i++) {
        if (blank[i] < '0' || blank[i] > '9')
            return 0;
        status = status * 10 + (blank[i] - '0');
    }
    return status;
}

/* The value of a header of this name, without blanks around it; "" where it does not fit. */
static void take(struct outbox_slice line, const char *name, char *to, uint64_t size)
{
    uint64_t len = strlen(name);
    if (line.len <= len || line.data[len] != ':' || strncasecmp(line.data, name, len) != 0)
        return;
    const char *at = line.data + len + 1, *end = line.data + line.len;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (unsigned char)end[-1] <= ' ')
        end--;
    uint64_t value_len = (uint64_t)(end - at);
    if (value_len >= size)
        value_len = 0;
    memcpy(to, at, value_len);
    to[value_len] = '\0';
}

bool answer_header(struct answer *answer, struct outbox_slice line)
{
    answer->header_bytes += line.len;
    if (answer->header_bytes > ANSWER_MAX_HEADER) {
        answer->is_endless = true;
        return false;
    }
    if (line.len > 5 && memcmp(line.data, "HTTP/", 5) == 0) {
        answer->status = parse_status(line);
        answer->is_complete = false;
        return true;
    }
    if (line.len == 0 || line.data[0] == '\r' || line.data[0] == '\n') {
        answer->is_complete = answer->status >= 200;
        return true;
    }
    take(line, "retry-after", answer->retry_after, sizeof(answer->retry_after));
    take(line, "date", answer->date, sizeof(answer->date));
    return true;
}

bool answer_body(struct answer *answer, struct outbox_slice piece)
{
    uint64_t room = ANSWER_KEPT - answer->kept_bytes;
    uint64_t kept = piece.len < room ? piece.len : room;
    memcpy(answer->kept + answer->kept_bytes, piece.data, kept);
    answer->kept_bytes += kept;
    answer->body_bytes += piece.len;
    answer->is_endless = answer->body_bytes > ANSWER_MAX_BODY;
    return !answer->is_endless;
}

static int64_t bounded(int64_t seconds)
{
    return seconds < 0 ? 0 : seconds > ANSWER_LONGEST_WAIT ? ANSWER_LONGEST_WAIT : seconds;
}

int64_t answer_wait(const struct answer *answer)
{
    const char *text = answer->retry_after;
    size_t digits = strspn(text, "0123456789");
    if (!*text)
        return -1;
    if (text[digits] == '\0')
        return digits > 9 ? ANSWER_LONGEST_WAIT : bounded(strtoll(text, NULL, 10));
    time_t until = curl_getdate(text, NULL);
    if (until == -1)
        return -1;
    time_t from = answer->date[0] ? curl_getdate(answer->date, NULL) : -1;
    return bounded((int64_t)until - (int64_t)(from == -1 ? time(NULL) : from));
}
