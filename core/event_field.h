/*
 * event_field.h - what templates and rules may look at in an event
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_EVENT_FIELD_H
#define CORE_EVENT_FIELD_H

#include "arena.h"

#include <outbox/types.h>
#include <stdbool.h>

/* A field by its name in the configuration: "type", "header:tenant" and so on. */
struct event_field {
    unsigned kind;              /* index of the name among all */
    struct outbox_slice header; /* of a header its name, in the memory of what was parsed */
};

/* An event and its parsed headers, and the pipeline that they go through. */
struct event_source {
    const struct outbox_event *event;
    const struct outbox_pair *headers;
    uint64_t header_count;
    const char *pipeline;
};

bool event_field_parse(struct outbox_slice name, struct event_field *field)
    __attribute__((warn_unused_result));

/* The field's value, absent if the event has none; of texts it is the event's own. False if the
 * arena has no memory for one that had to be written. */
bool event_field_get(const struct event_field *field, const struct event_source *source,
                     struct arena *arena, struct outbox_slice *value)
    __attribute__((warn_unused_result));

/* The field's offset in the event and 1 more; 0 if it is no text of the event. */
size_t event_field_place(const struct event_field *field);

/* The value of a header, absent if there is none. */
struct outbox_slice event_header(const struct event_source *source, struct outbox_slice name);

/* As it is written in the configuration, cut to fit. Returns `text`. */
const char *event_field_name(const struct event_field *field, char *text, size_t size);

/* "id, type, ...", for a mistake. */
extern const char event_field_list[];

/* An instant as RFC 3339 in UTC, with microseconds. */
#define EVENT_TIME_TEXT 40
void event_time_write(int64_t microseconds, char text[EVENT_TIME_TEXT]);

#endif
