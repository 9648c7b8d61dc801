/*
 * tracer.h - gives events their place in a trace before they are sent
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_TRACER_H
#define CORE_TELEMETRY_TRACER_H

#include "../backoff.h"
#include "settings.h"
#include "trace_context.h"

struct exporter;

/* Of one worker. */
struct tracer {
    struct exporter *exporter; /* NULL: nothing is traced */
    struct telemetry_sampler sampler;
    struct random random;
};

/* The span that an event will have. */
struct event_trace {
    struct span_context context;
    unsigned char parent_id[SPAN_ID]; /* all zero: the event began its trace here */
    struct outbox_slice state;        /* of the trace, or absent */
    char header[TRACEPARENT_LEN];     /* for the consumer */
};

/* Headers that a tracer may add to those of an event. */
#define TRACER_HEADERS 1

/* Continues the trace in the event's headers, or begins one, if it is to be recorded: *trace and
 * the headers tell then, each name of theirs once; else *trace is NULL and the headers stay as they
 * are. `pairs` has room for TRACER_HEADERS more. False if memory ran out. */
bool tracer_continue(struct tracer *tracer, struct outbox_pair *pairs, uint64_t *count,
                     struct arena *arena, const struct event_trace **trace)
    __attribute__((warn_unused_result));

/* A trace of its own. False: not to be recorded. */
bool tracer_begin(struct tracer *tracer, struct span_context *context);

/* A span of the same trace. */
struct span_context tracer_child(struct tracer *tracer, const struct span_context *parent);

static inline bool tracer_is_on(const struct tracer *tracer)
{
    return tracer->exporter != NULL;
}

#endif
