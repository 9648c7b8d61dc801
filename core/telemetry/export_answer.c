/*
 * export_answer.c - what a collector's answer means
 * SPDX-License-Identifier: MIT
 */
#include "export_answer.h"

#include <errno.h>
#include <jansson.h>
#include <otlp.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What the answers' bodies have in common. */
struct words {
    int64_t rejected;
    char *text; /* of ANSWER_TEXT */
};

static bool is_type(const char *type, const char *wanted)
{
    size_t length = strlen(wanted);
    return type && strncasecmp(type, wanted, length) == 0 &&
           (type[length] == '\0' || type[length] == ';' || type[length] == ' ');
}

static void keep_text(struct words *words, const char *text)
{
    (void)snprintf(words->text, ANSWER_TEXT, "%s", text ? text : "");
}

/* ---- Protocol buffers --------------------------------------------------------------------- */

static void read_response(const struct export_answer *answer, struct words *words)
{
    Otlp__ExportServiceResponse *response =
        otlp__export_service_response__unpack(NULL, answer->length, (const uint8_t *)answer->body);

    if (response && response->partial_success) {
        words->rejected = response->partial_success->rejected;
        keep_text(words, response->partial_success->error_message);
    }
    otlp__export_service_response__free_unpacked(response, NULL);
}

static void read_failure(const struct export_answer *answer, struct words *words)
{
    Otlp__Failure *failure =
        otlp__failure__unpack(NULL, answer->length, (const uint8_t *)answer->body);

    if (failure)
        keep_text(words, failure->message);
    otlp__failure__free_unpacked(failure, NULL);
}

/* ---- JSON --------------------------------------------------------------------------------- */

/* A 64-bit integer is a text, and some write a number. */
static int64_t json_count(const json_t *value)
{
    char *end;

    if (!json_is_string(value))
        return json_integer_value(value);
    errno = 0;
    long long count = strtoll(json_string_value(value), &end, 10);
    return errno == 0 && *end == '\0' ? count : 0;
}

static void read_json(const struct export_answer *answer, struct words *words)
{
    static const char *const names[] = {"rejectedDataPoints", "rejectedSpans",
                                        "rejectedLogRecords"};
    json_t *document = json_loadb(answer->body, answer->length, 0, NULL);
    const json_t *partial = json_object_get(document, "partialSuccess");
    const char *key = partial ? "errorMessage" : "message";

    /* An answer is about one signal. */
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && words->rejected == 0; i++)
        words->rejected = json_count(json_object_get(partial, names[i]));
    keep_text(words, json_string_value(json_object_get(partial ? partial : document, key)));
    json_decref(document);
}

/* ---- The verdict -------------------------------------------------------------------------- */

static bool is_success(long status)
{
    return status >= 200 && status < 300;
}

static void read_body(const struct export_answer *answer, struct words *words)
{
    if (answer->length == 0)
        return;
    if (is_type(answer->type, "application/json"))
        read_json(answer, words);
    else if (!is_type(answer->type, "application/x-protobuf"))
        return;
    else if (is_success(answer->status))
        read_response(answer, words);
    else
        read_failure(answer, words);
}

enum export_verdict answer_judge(const struct export_answer *answer, uint64_t items,
                                 uint64_t *rejected, char text[ANSWER_TEXT])
{
    struct words words = {0, text};

    *text = '\0';
    *rejected = 0;
    if (answer->status == 0) {
        keep_text(&words, answer->problem);
        return EXPORT_RETRY;
    }
    read_body(answer, &words);
    if (is_success(answer->status)) {
        if (words.rejected > 0)
            *rejected = (uint64_t)words.rejected < items ? (uint64_t)words.rejected : items;
        return EXPORT_TAKEN;
    }
    switch (answer->status) {
    case 429:
    case 502:
    case 503:
    case 504:
        return EXPORT_RETRY;
    default:
        return EXPORT_REFUSED;
    }
}
