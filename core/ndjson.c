/*
 * ndjson.c - events to enqueue, an object a line
 * SPDX-License-Identifier: MIT
 */
#include "ndjson.h"

#include "base64.h"
#include "nearest.h"
#include "timestamp.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>

/* Numbers are only carried along as bytes, so one that fits no integer is no mistake. */
#define LOAD_FLAGS (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)
#define SHOWN_NAME 40

/* A line while its members are read. */
struct reading {
    struct arena *arena;
    const char *line, *end;
    struct outbox_new_event event;
    const char *payload_member; /* which one gave the payload */
    struct outbox_error *error;
};

typedef bool member_fn(struct reading *reading, const char *name, json_t *value, size_t index);

static bool refuse(struct outbox_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(struct outbox_error *error, const char *format, ...)
{
    va_list arguments;
    error->native[0] = '\0';
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return false;
}

static const char *kind_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_NULL:
        return "null";
    default:
        return "true or false";
    }
}

static bool copy(struct reading *reading, const char *bytes, size_t length,
                 struct outbox_slice *slice)
{
    char *kept = arena_alloc(reading->arena, length);
    if (!kept)
        return refuse(reading->error, "out of memory for %zu bytes", length);
    memcpy(kept, bytes, length);
    *slice = (struct outbox_slice){kept, length};
    return true;
}

/* ---- Where a value stands in the line, which is known to be well-formed ------------------- */

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at;
}

static const char *skip_string(const char *at, const char *end)
{
    const char *start = at + 1;

    for (at = start; (at = memchr(at, '"', (size_t)(end - at))); at++) {
        size_t escapes = 0;
        while (at - escapes > start && *(at - escapes - 1) == '\\')
            escapes++;
        if (escapes % 2 == 0)
            return at + 1;
    }
    return end;
}

static const char *skip_value(const char *at, const char *end)
{
    size_t depth = 0;

    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if ((*at == '}' || *at == ']') && depth > 0) {
            depth--;
            at++;
        } else if (depth > 0) {
            at++;
            continue;
        } else if (*at == ',' || *at == '}' || skip_space(at, end) > at) {
            return at;
        } else {
            at++;
            continue;
        }
        if (depth == 0)
            return at;
    }
    return end;
}

/* The bytes of the value of member `index`. */
static struct outbox_slice raw_value(const struct reading *reading, size_t index)
{
    const char *end = reading->end;
    const char *at = skip_space(reading->line, end) + 1;

    for (;; index--) {
        at = skip_string(skip_space(at, end), end);
        at = skip_space(skip_space(at, end) + 1, end);
        const char *behind = skip_value(at, end);
        if (index == 0 || behind >= end)
            return (struct outbox_slice){at, (uint64_t)(behind - at)};
        at = skip_space(behind, end) + 1;
    }
}

/* ---- Members ------------------------------------------------------------------------------ */

static bool need_string(struct reading *reading, const char *name, const json_t *value)
{
    if (json_is_string(value))
        return true;
    return refuse(reading->error, "'%s' is %s; it must be a string", name, kind_name(value));
}

/* Text for a column: no database keeps a NUL in one. */
static bool need_text(struct reading *reading, const char *name, const json_t *value)
{
    if (!need_string(reading, name, value))
        return false;
    if (strlen(json_string_value(value)) == json_string_length(value))
        return true;
    return refuse(reading->error, "'%s' holds a NUL character; only a payload can", name);
}

static struct outbox_slice *text_place(struct outbox_new_event *event, const char *name)
{
    const struct {
        const char *name;
        struct outbox_slice *place;
    } places[] = {
        {"type", &event->type},
        {"id", &event->id},
        {"key", &event->partition_key},
        {"ordering_key", &event->ordering_key},
        {"aggregate_type", &event->aggregate_type},
        {"aggregate_id", &event->aggregate_id},
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (strcmp(places[i].name, name) == 0)
            return places[i].place;
    return NULL;
}

static bool read_text(struct reading *reading, const char *name, json_t *value, size_t index)
{
    (void)index;
    if (json_is_null(value))
        return true;
    return need_text(reading, name, value) &&
           copy(reading, json_string_value(value), json_string_length(value),
                text_place(&reading->event, name));
}

static bool read_available_at(struct reading *reading, const char *name, json_t *value,
                              size_t index)
{
    (void)index;
    if (json_is_null(value))
        return true;
    if (!need_text(reading, name, value))
        return false;
    if (timestamp_parse(json_string_value(value), &reading->event.available_at))
        return true;
    return refuse(reading->error, "'%s' is not an instant; write %s", name, TIMESTAMP_FORMS);
}

static bool read_headers(struct reading *reading, const char *name, json_t *value, size_t index)
{
    if (json_is_null(value))
        return true;
    if (!json_is_object(value))
        return refuse(reading->error, "'%s' is %s; it must be an object", name, kind_name(value));
    struct outbox_slice raw = raw_value(reading, index);
    return copy(reading, raw.data, raw.len, &reading->event.headers);
}

static bool decode_payload(struct reading *reading, const char *name, const json_t *value)
{
    size_t length = json_string_length(value), decoded, wrong;
    char *bytes = arena_alloc(reading->arena, base64_room(length));

    if (!bytes)
        return refuse(reading->error, "out of memory for %zu bytes", length);
    if (!base64_decode(json_string_value(value), length, bytes, &decoded, &wrong))
        return refuse(reading->error,
                      "'%s' is no base64 from character %zu on; write RFC 4648's standard alphabet "
                      "with padding",
                      name, wrong + 1);
    reading->event.payload = (struct outbox_slice){bytes, decoded};
    return true;
}

static bool read_payload(struct reading *reading, const char *name, json_t *value, size_t index)
{
    bool is_json = strcmp(name, "payload_json") == 0;

    if (json_is_null(value) && !is_json)
        return true;
    if (reading->payload_member)
        return refuse(reading->error, "'%s' and '%s' are both given; give one payload",
                      reading->payload_member, name);
    reading->payload_member = name;
    if (is_json) {
        struct outbox_slice raw = raw_value(reading, index);
        return copy(reading, raw.data, raw.len, &reading->event.payload);
    }
    if (!need_string(reading, name, value))
        return false;
    if (strcmp(name, "payload_base64") == 0)
        return decode_payload(reading, name, value);
    return copy(reading, json_string_value(value), json_string_length(value),
                &reading->event.payload);
}

static const struct member {
    const char *name;
    member_fn *read;
} members[] = {
    {"type", read_text},
    {"payload", read_payload},
    {"payload_json", read_payload},
    {"payload_base64", read_payload},
    {"id", read_text},
    {"key", read_text},
    {"ordering_key", read_text},
    {"aggregate_type", read_text},
    {"aggregate_id", read_text},
    {"headers", read_headers},
    {"available_at", read_available_at},
};
#define MEMBER_COUNT (sizeof(members) / sizeof(*members))

static bool refuse_name(struct reading *reading, const char *name)
{
    struct nearest nearest;
    bool cut = strlen(name) > SHOWN_NAME;

    nearest_init(&nearest, name);
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        nearest_offer(&nearest, members[i].name);
    if (nearest.best)
        return refuse(reading->error, "'%.*s%s' is no key of an event; did you mean '%s'?",
                      SHOWN_NAME, name, cut ? "..." : "", nearest.best);
    return refuse(
        reading->error,
        "'%.*s%s' is no key of an event; known are type, payload, payload_json, "
        "payload_base64, id, key, ordering_key, aggregate_type, aggregate_id, headers and "
        "available_at",
        SHOWN_NAME, name, cut ? "..." : "");
}

static bool read_member(struct reading *reading, const char *name, json_t *value, size_t index)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        if (strcmp(members[i].name, name) == 0)
            return members[i].read(reading, members[i].name, value, index);
    return refuse_name(reading, name);
}

static bool read_object(struct reading *reading, json_t *root)
{
    const char *name;
    json_t *value;
    size_t index = 0; /* jansson keeps the members in the order of the text */

    if (!json_is_object(root))
        return refuse(reading->error, "the line is %s; it must be an object", kind_name(root));
    json_object_foreach(root, name,
                        value) if (!read_member(reading, name, value, index++)) return false;

    if (!reading->event.type.data || reading->event.type.len == 0)
        return refuse(reading->error, "'type' is missing or empty; every event has one");
    if (!reading->event.payload.data)
        return refuse(reading->error,
                      "the payload is missing; give payload, payload_json or payload_base64");
    return true;
}

/* ---- The batch ---------------------------------------------------------------------------- */

bool ndjson_batch_init(struct ndjson_batch *batch, size_t capacity)
{
    *batch = (struct ndjson_batch){.capacity = capacity};
    arena_init(&batch->arena, (size_t)256 * 1024);
    batch->events = calloc(capacity, sizeof(*batch->events));
    return batch->events != NULL;
}

void ndjson_batch_reset(struct ndjson_batch *batch)
{
    batch->count = 0;
    batch->bytes = 0;
    arena_reset(&batch->arena);
}

void ndjson_batch_clear(struct ndjson_batch *batch)
{
    free(batch->events);
    batch->events = NULL;
    arena_clear(&batch->arena);
}

bool ndjson_is_blank(const char *line, size_t length)
{
    return skip_space(line, line + length) == line + length;
}

bool ndjson_add(struct ndjson_batch *batch, const char *line, size_t length,
                struct outbox_error *error)
{
    struct reading reading = {
        .arena = &batch->arena, .line = line, .end = line + length, .error = error};
    json_error_t problem;
    json_t *root = json_loadb(line, length, LOAD_FLAGS, &problem);

    if (!root)
        return refuse(error, "it is no JSON object, at character %d: %s", problem.column,
                      problem.text);
    bool good = read_object(&reading, root);
    json_decref(root);
    if (!good)
        return false;
    batch->events[batch->count++] = reading.event;
    batch->bytes += length;
    return true;
}
