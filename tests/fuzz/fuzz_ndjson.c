/*
 * fuzz_ndjson.c - fuzzes the reading of event lines, with jansson as the judge of what was taken
 * SPDX-License-Identifier: MIT
 */
#include "ndjson.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#define FLAGS (JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "%s\n", what);
    abort();
}

/* The bytes that were cut out of the line mean what the whole line says the member is. */
static void judge_raw(struct outbox_slice raw, const json_t *member)
{
    json_t *value = json_loadb(raw.data, raw.len, FLAGS | JSON_DECODE_ANY, NULL);
    demand(value && json_equal(value, member), "the raw value is not the member's");
    json_decref(value);
}

static void judge_text(struct outbox_slice text, const json_t *member)
{
    demand(text.len == json_string_length(member) &&
               memcmp(text.data, json_string_value(member), text.len) == 0,
           "the text is not the member's");
}

static void judge(const struct outbox_new_event *event, const json_t *line)
{
    const json_t *headers = json_object_get(line, "headers");
    const json_t *payload = json_object_get(line, "payload");
    const json_t *payload_json = json_object_get(line, "payload_json");

    judge_text(event->type, json_object_get(line, "type"));
    demand((event->headers.data != NULL) == json_is_object(headers), "headers came or went");
    if (event->headers.data)
        judge_raw(event->headers, headers);
    if (payload_json)
        judge_raw(event->payload, payload_json);
    else if (json_is_string(payload))
        judge_text(event->payload, payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *line = (const char *)data;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct ndjson_batch batch;

    demand(ndjson_batch_init(&batch, 1), "out of memory");
    if (ndjson_add(&batch, line, size, &error)) {
        json_t *document = json_loadb(line, size, FLAGS, NULL);
        demand(document != NULL, "a line was taken that is no JSON");
        judge(&batch.events[0], document);
        json_decref(document);
    } else {
        demand(error.text[0] != '\0' && batch.count == 0, "refused without a reason");
    }
    ndjson_batch_clear(&batch);
    return 0;
}
