/*
 * spans.h - finished spans on their way to the exporter
 * SPDX-License-Identifier: MIT
 *
 * Spans of a batch are made together by the thread that settled it, in one list with memory of its
 * own, and handed over as a whole.
 */
#ifndef CORE_TELEMETRY_SPANS_H
#define CORE_TELEMETRY_SPANS_H

#include "../arena.h"

#include <outbox/types.h>
#include <stdbool.h>

#define TRACE_ID 16
#define SPAN_ID 8
#define SPAN_ATTRIBUTES 14

/* The numbers of OpenTelemetry's protocol. */
enum span_kind { SPAN_INTERNAL = 1, SPAN_CLIENT = 3, SPAN_PRODUCER = 4 };

/* Where a span stands. */
struct span_context {
    unsigned char trace_id[TRACE_ID];
    unsigned char span_id[SPAN_ID]; /* all zero: there is none */
};

struct span_attribute {
    const char *name; /* static */
    struct outbox_slice text;
    int64_t number; /* where text.data is NULL */
};

/* Texts live in the list's arena or are static. */
struct span {
    struct span_context context;
    unsigned char parent_id[SPAN_ID]; /* all zero: a root */
    struct span_context link;         /* to another trace, perhaps none */
    enum span_kind kind;
    struct outbox_slice name;
    struct outbox_slice trace_state; /* absent: none */
    int64_t start, end;              /* nanoseconds since 1970 */
    bool failed;
    struct outbox_slice failure; /* why, where it failed */
    struct span_attribute attributes[SPAN_ATTRIBUTES];
    size_t attribute_count;
};

struct span_list {
    struct span_list *next; /* the exporter's */
    struct arena arena;
    uint64_t count, capacity;
    struct span spans[];
};

/* NULL if memory ran out. */
struct span_list *span_list_new(uint64_t capacity) __attribute__((warn_unused_result));
void span_list_free(struct span_list **list);

/* A new span, zeroed; NULL if the list is full. */
struct span *span_list_add(struct span_list *list);

/* Copies a text into the list; absent if memory ran out. At most SPAN_TEXT bytes of it are kept. */
#define SPAN_TEXT 1024
struct outbox_slice span_list_text(struct span_list *list, struct outbox_slice text);

void span_text(struct span *span, const char *name, struct outbox_slice text);
void span_number(struct span *span, const char *name, int64_t number);

#endif
