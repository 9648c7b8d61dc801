/*
 * ndjson.c - a message as one line of JSON
 * SPDX-License-Identifier: MIT
 */
#include "ndjson.h"

#include <inttypes.h>
#include <time.h>

#define REPLACEMENT_CHARACTER "\xEF\xBF\xBD"
#define MICROSECONDS INT64_C(1000000)

/* The length of the UTF-8 character at `at`, 0 if there is none: RFC 3629, so no surrogates, no
 * overlong forms, nothing beyond U+10FFFF. */
static uint64_t character_length(const unsigned char *at, uint64_t left)
{
    unsigned char lead = at[0], lowest = 0x80, highest = 0xBF;
    uint64_t len = 0;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        len = 2;
    else if (lead >= 0xE0 && lead <= 0xEF)
        len = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        len = 4;
    if (len == 0 || len > left)
        return 0;

    if (lead == 0xE0)
        lowest = 0xA0;
    else if (lead == 0xED)
        highest = 0x9F;
    else if (lead == 0xF0)
        lowest = 0x90;
    else if (lead == 0xF4)
        highest = 0x8F;
    if (at[1] < lowest || at[1] > highest)
        return 0;
    for (uint64_t i = 2; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

static bool is_ascii_word(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

static bool is_utf8(struct outbox_slice text)
{
    const unsigned char *at = (const unsigned char *)text.data;
    uint64_t left = text.len;
    while (left > 0) {
        uint64_t len = left >= 8 && is_ascii_word(at) ? 8 : character_length(at, left);
        if (len == 0)
            return false;
        at += len;
        left -= len;
    }
    return true;
}

/* Whether eight bytes all stand in a JSON string as they are. Looks at all of them at once: a byte
 * whose top bit is set afterwards is no ASCII, below a blank, a quote or a backslash. */
static bool is_plain_word(const unsigned char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    uint64_t stops = word | (word - ones * 0x20) | (quote - ones) | (backslash - ones);
    return (stops & ones << 7) == 0;
}

/* Bytes from the start of the text that stand in a JSON string as they are. */
static uint64_t plain_run(const unsigned char *at, uint64_t left)
{
    uint64_t run = 0;
    while (run < left) {
        if (left - run >= 8 && is_plain_word(at + run)) {
            run += 8;
            continue;
        }
        unsigned char byte = at[run];
        if (byte < 0x20 || byte == '"' || byte == '\\')
            break;
        uint64_t len = character_length(at + run, left - run);
        if (len == 0)
            break;
        run += len;
    }
    return run;
}

/* What stands in a JSON string for a byte that cannot; returns its length. */
static uint64_t escape_byte(unsigned char byte, char escape[8])
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
                                  ['\t'] = 't', ['"'] = '"',  ['\\'] = '\\'};
    if (byte < sizeof(shorts) && shorts[byte]) {
        memcpy(escape, (char[]){'\\', shorts[byte]}, 2);
        return 2;
    }
    if (byte < 0x20) {
        memcpy(escape, (char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6);
        return 6;
    }
    memcpy(escape, REPLACEMENT_CHARACTER, 3);
    return 3;
}

static bool append_literal(struct bytes *line, const char *text)
{
    return bytes_append(line, text, strlen(text));
}

static bool append_string(struct bytes *line, struct outbox_slice text)
{
    const unsigned char *at = (const unsigned char *)text.data;
    uint64_t left = text.len;
    if (!bytes_append(line, "\"", 1))
        return false;
    while (left > 0) {
        uint64_t run = plain_run(at, left);
        if (!bytes_append(line, (const char *)at, run))
            return false;
        at += run;
        left -= run;
        if (left == 0)
            break;
        char escape[8];
        if (!bytes_append(line, escape, escape_byte(*at, escape)))
            return false;
        at++;
        left--;
    }
    return bytes_append(line, "\"", 1);
}

static bool append_base64(struct bytes *line, struct outbox_slice binary)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = bytes_room(line, (binary.len + 2) / 3 * 4 + 2);
    if (!out)
        return false;
    const char *start = out;
    *out++ = '"';
    for (uint64_t i = 0; i < binary.len; i += 3) {
        uint64_t left = binary.len - i;
        const unsigned char *in = (const unsigned char *)binary.data + i;
        uint32_t group = (uint32_t)in[0] << 16;
        if (left > 1)
            group |= (uint32_t)in[1] << 8;
        if (left > 2)
            group |= in[2];
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[group & 63] : '=';
    }
    *out++ = '"';
    line->len += (uint64_t)(out - start);
    return true;
}

static bool append_name(struct bytes *line, const char *name)
{
    bool is_first = line->len > 0 && line->data[line->len - 1] == '{';
    return append_literal(line, is_first ? "\"" : ",\"") && append_literal(line, name) &&
           append_literal(line, "\":");
}

static bool append_text(struct bytes *line, const char *name, struct outbox_slice text)
{
    return !text.data || (append_name(line, name) && append_string(line, text));
}

static bool append_payload(struct bytes *line, struct outbox_slice payload)
{
    if (!payload.data)
        return true;
    if (is_utf8(payload))
        return append_name(line, "payload") && append_string(line, payload);
    return append_name(line, "payload_base64") && append_base64(line, payload);
}

static bool append_headers(struct bytes *line, const struct outbox_message *message)
{
    if (message->header_count == 0)
        return true;
    if (!append_name(line, "headers") || !append_literal(line, "{"))
        return false;
    for (uint64_t i = 0; i < message->header_count; i++) {
        const struct outbox_pair *header = &message->headers[i];
        if (i > 0 && !append_literal(line, ","))
            return false;
        if (!append_string(line, header->name) || !append_literal(line, ":") ||
            !append_string(line, header->value))
            return false;
    }
    return append_literal(line, "}");
}

static bool append_integer(struct bytes *line, const char *name, int64_t number)
{
    char digits[24];
    (void)snprintf(digits, sizeof(digits), "%" PRId64, number);
    return append_name(line, name) && append_literal(line, digits);
}

/* A reader expects a date here or nothing: an instant outside the years 0 to 9999 is left out. */
static bool append_instant(struct bytes *line, const char *name, int64_t microseconds)
{
    int64_t fraction = microseconds % MICROSECONDS;
    time_t seconds = (time_t)(microseconds / MICROSECONDS);
    if (fraction < 0) {
        fraction += MICROSECONDS;
        seconds--;
    }
    struct tm calendar;
    char date[64], text[96];
    if (!gmtime_r(&seconds, &calendar) || calendar.tm_year > 9999 - 1900 ||
        calendar.tm_year < -1900 ||
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &calendar) == 0)
        return true;
    (void)snprintf(text, sizeof(text), "%s.%06" PRId64 "Z", date, fraction);
    return append_text(line, name, outbox_slice_of(text));
}

static bool append_event(struct bytes *line, const struct outbox_message *message)
{
    const struct outbox_event *event = message->event;
    return append_literal(line, "{") && append_text(line, "id", event->id) &&
           append_text(line, "type", event->type) && append_text(line, "topic", message->topic) &&
           append_text(line, "key", message->key) && append_payload(line, message->payload) &&
           append_headers(line, message) &&
           append_text(line, "aggregate_type", event->aggregate_type) &&
           append_text(line, "aggregate_id", event->aggregate_id) &&
           append_text(line, "ordering_key", event->ordering_key) &&
           append_integer(line, "attempts", event->attempts) &&
           (event->created_at == 0 || append_instant(line, "created_at", event->created_at)) &&
           append_literal(line, "}\n");
}

bool ndjson_append(struct bytes *line, const struct outbox_message *message)
{
    uint64_t start = line->len;
    if (append_event(line, message))
        return true;
    line->len = start;
    return false;
}
