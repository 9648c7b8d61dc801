/*
 * event_field.c - what templates and rules may look at in an event
 * SPDX-License-Identifier: MIT
 */
#include "event_field.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define MICROSECONDS 1000000

enum kind { KIND_HEADER, KIND_SLICE, KIND_COUNT, KIND_INSTANT, KIND_PIPELINE };

static const struct known_field {
    const char *name;
    enum kind kind;
    size_t offset; /* in the event */
} known[] = {
    {"header:", KIND_HEADER, 0},
    {"id", KIND_SLICE, offsetof(struct outbox_event, id)},
    {"type", KIND_SLICE, offsetof(struct outbox_event, type)},
    {"partition_key", KIND_SLICE, offsetof(struct outbox_event, partition_key)},
    {"ordering_key", KIND_SLICE, offsetof(struct outbox_event, ordering_key)},
    {"aggregate_type", KIND_SLICE, offsetof(struct outbox_event, aggregate_type)},
    {"aggregate_id", KIND_SLICE, offsetof(struct outbox_event, aggregate_id)},
    {"attempts", KIND_COUNT, offsetof(struct outbox_event, attempts)},
    {"created_at", KIND_INSTANT, offsetof(struct outbox_event, created_at)},
    {"available_at", KIND_INSTANT, offsetof(struct outbox_event, available_at)},
    {"pipeline", KIND_PIPELINE, 0},
};

const char event_field_list[] =
    "id, type, partition_key, ordering_key, aggregate_type, aggregate_id, attempts, created_at, "
    "available_at, pipeline or header:NAME";

bool event_field_parse(struct outbox_slice name, struct event_field *field)
{
    size_t prefix = strlen(known[0].name);

    *field = (struct event_field){0};
    if (name.len > prefix && memcmp(name.data, known[0].name, prefix) == 0) {
        field->header = (struct outbox_slice){name.data + prefix, name.len - prefix};
        return true;
    }
    for (unsigned i = 1; i < sizeof(known) / sizeof(known[0]); i++) {
        if (name.len == strlen(known[i].name) && memcmp(name.data, known[i].name, name.len) == 0) {
            field->kind = i;
            return true;
        }
    }
    return false;
}

const char *event_field_name(const struct event_field *field, char *text, size_t size)
{
    (void)snprintf(text, size, "%s%.*s", known[field->kind].name, (int)field->header.len,
                   field->header.data ? field->header.data : "");
    return text;
}

struct outbox_slice event_header(const struct event_source *source, struct outbox_slice name)
{
    for (uint64_t i = 0; i < source->header_count; i++) {
        const struct outbox_pair *pair = &source->headers[i];
        if (pair->name.len == name.len && memcmp(pair->name.data, name.data, name.len) == 0)
            return pair->value;
    }
    return (struct outbox_slice){NULL, 0};
}

void event_time_write(int64_t microseconds, char text[EVENT_TIME_TEXT])
{
    int64_t fraction = microseconds % MICROSECONDS;
    time_t seconds = (time_t)(microseconds / MICROSECONDS);
    struct tm parts;

    if (fraction < 0) {
        fraction += MICROSECONDS;
        seconds--;
    }
    if (!gmtime_r(&seconds, &parts))
        memset(&parts, 0, sizeof(parts)); /* an instant beyond any calendar */
    size_t len = strftime(text, EVENT_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + len, EVENT_TIME_TEXT - len, ".%06dZ", (int)fraction);
}

size_t event_field_place(const struct event_field *field)
{
    return known[field->kind].kind == KIND_SLICE ? known[field->kind].offset + 1 : 0;
}

static const void *member(const struct event_source *source, size_t offset)
{
    return (const char *)source->event + offset;
}

static bool keep(struct arena *arena, const char *text, struct outbox_slice *value)
{
    size_t len = strlen(text);
    char *copy = arena_alloc(arena, len);

    if (!copy)
        return false;
    memcpy(copy, text, len);
    *value = (struct outbox_slice){copy, len};
    return true;
}

/* Apart from the fields that are texts already, which nearly all are. */
static __attribute__((noinline)) bool write_number(enum kind kind, int64_t number,
                                                   struct arena *arena, struct outbox_slice *value)
{
    char text[EVENT_TIME_TEXT];

    if (kind == KIND_INSTANT)
        event_time_write(number, text);
    else
        (void)snprintf(text, sizeof(text), "%lld", (long long)number);
    return keep(arena, text, value);
}

bool event_field_get(const struct event_field *field, const struct event_source *source,
                     struct arena *arena, struct outbox_slice *value)
{
    const struct known_field *known_field = &known[field->kind];

    switch (known_field->kind) {
    case KIND_HEADER:
        *value = event_header(source, field->header);
        return true;
    case KIND_SLICE:
        *value = *(const struct outbox_slice *)member(source, known_field->offset);
        return true;
    case KIND_COUNT:
    case KIND_INSTANT:
        return write_number(known_field->kind,
                            *(const int64_t *)member(source, known_field->offset), arena, value);
    case KIND_PIPELINE:
        *value = outbox_slice_of(source->pipeline);
        return true;
    }
    return false;
}
