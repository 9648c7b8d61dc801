/*
 * tracer.c - gives events their place in a trace before they are sent
 * SPDX-License-Identifier: MIT
 */
#include "tracer.h"

#include <strings.h>

/* No part is all zero, which would mean none; else all values are as likely, for samplers take the
 * last part as a number. */
static void make_id(struct tracer *tracer, unsigned char *id, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t part;
        do
            part = random_next(&tracer->random);
        while (part == 0);
        memcpy(id + at, &part, sizeof(part));
    }
}

/* By the trace's id, so that everyone who samples at this ratio keeps the same traces. */
static bool is_chosen(const struct tracer *tracer, const unsigned char trace_id[TRACE_ID])
{
    uint64_t number = 0;

    for (size_t i = TRACE_ID - sizeof(number); i < TRACE_ID; i++)
        number = number << 8 | trace_id[i];
    return tracer->sampler.ratio >= 1 || (double)(number >> 1) < tracer->sampler.ratio * 0x1p63;
}

static struct outbox_pair *find(struct outbox_pair *pairs, uint64_t count, const char *name,
                                size_t len)
{
    for (uint64_t i = 0; i < count; i++)
        if (pairs[i].name.len == len && strncasecmp(pairs[i].name.data, name, len) == 0)
            return &pairs[i];
    return NULL;
}

static bool is_recorded(const struct tracer *tracer, const struct trace_parent *parent,
                        const unsigned char trace_id[TRACE_ID])
{
    return parent && tracer->sampler.is_parent_based ? parent->is_sampled
                                                     : is_chosen(tracer, trace_id);
}

static void hand_on(const struct event_trace *trace, struct outbox_pair *header,
                    struct outbox_pair *pairs, uint64_t *count)
{
    struct outbox_slice value = {trace->header, TRACEPARENT_LEN};

    if (header)
        header->value = value;
    else
        pairs[(*count)++] = (struct outbox_pair){outbox_slice_of(TRACEPARENT), value};
}

bool tracer_continue(struct tracer *tracer, struct outbox_pair *pairs, uint64_t *count,
                     struct arena *arena, const struct event_trace **trace)
{
    struct outbox_pair *header = find(pairs, *count, TRACEPARENT, sizeof(TRACEPARENT) - 1);
    struct trace_parent parent;
    bool has_parent = header && traceparent_parse(header->value, &parent);
    struct event_trace made = {0};

    *trace = NULL;
    if (has_parent)
        memcpy(made.context.trace_id, parent.context.trace_id, TRACE_ID);
    else
        make_id(tracer, made.context.trace_id, TRACE_ID);
    if (!is_recorded(tracer, has_parent ? &parent : NULL, made.context.trace_id))
        return true;
    make_id(tracer, made.context.span_id, SPAN_ID);
    if (has_parent) {
        const struct outbox_pair *state = find(pairs, *count, TRACESTATE, sizeof(TRACESTATE) - 1);
        memcpy(made.parent_id, parent.context.span_id, SPAN_ID);
        if (state)
            made.state = state->value;
    }
    traceparent_write(&made.context, made.header);
    struct event_trace *kept = arena_alloc(arena, sizeof(*kept));
    if (!kept)
        return false;
    *kept = made;
    *trace = kept;
    hand_on(kept, header, pairs, count);
    return true;
}

bool tracer_begin(struct tracer *tracer, struct span_context *context)
{
    make_id(tracer, context->trace_id, TRACE_ID);
    make_id(tracer, context->span_id, SPAN_ID);
    return is_chosen(tracer, context->trace_id);
}

struct span_context tracer_child(struct tracer *tracer, const struct span_context *parent)
{
    struct span_context context = *parent;
    make_id(tracer, context.span_id, SPAN_ID);
    return context;
}
