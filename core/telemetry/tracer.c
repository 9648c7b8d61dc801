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

static bool is_called(const struct outbox_pair *pair, const char *name)
{
    return pair->name.len == strlen(name) &&
           strncasecmp(pair->name.data, name, pair->name.len) == 0;
}

/* A header whose name is written just so goes before one in another case. */
static struct outbox_pair *find(struct outbox_pair *pairs, uint64_t count, const char *name)
{
    struct outbox_pair *found = NULL;

    for (uint64_t i = 0; i < count; i++) {
        if (!is_called(&pairs[i], name))
            continue;
        if (memcmp(pairs[i].name.data, name, pairs[i].name.len) == 0)
            return &pairs[i];
        if (!found)
            found = &pairs[i];
    }
    return found;
}

/* All headers of a name, in whatever case, but `kept`. */
static void leave_out(struct outbox_pair *pairs, uint64_t *count, const char *name,
                      const struct outbox_pair *kept)
{
    uint64_t left = 0;

    for (uint64_t i = 0; i < *count; i++)
        if (&pairs[i] == kept || !is_called(&pairs[i], name))
            pairs[left++] = pairs[i];
    *count = left;
}

static bool is_recorded(const struct tracer *tracer, const struct trace_parent *parent,
                        const unsigned char trace_id[TRACE_ID])
{
    return parent && tracer->sampler.is_parent_based ? parent->is_sampled
                                                     : is_chosen(tracer, trace_id);
}

/* Consumers must not find another parent under the same name in another case, nor the state of a
 * trace that does not go on. */
static void hand_on(const struct event_trace *trace, bool has_parent, struct outbox_pair *header,
                    struct outbox_pair *pairs, uint64_t *count)
{
    struct outbox_slice value = {trace->header, TRACEPARENT_LEN};

    if (header)
        header->value = value;
    leave_out(pairs, count, TRACEPARENT, header);
    if (!has_parent)
        leave_out(pairs, count, TRACESTATE, NULL);
    if (!header)
        pairs[(*count)++] = (struct outbox_pair){outbox_slice_of(TRACEPARENT), value};
}

bool tracer_continue(struct tracer *tracer, struct outbox_pair *pairs, uint64_t *count,
                     struct arena *arena, const struct event_trace **trace)
{
    struct outbox_pair *header = find(pairs, *count, TRACEPARENT);
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
        const struct outbox_pair *state = find(pairs, *count, TRACESTATE);
        memcpy(made.parent_id, parent.context.span_id, SPAN_ID);
        /* A part of it would be another state. */
        if (state && state->value.len <= SPAN_TEXT)
            made.state = state->value;
    }
    traceparent_write(&made.context, made.header);
    struct event_trace *kept = arena_alloc(arena, sizeof(*kept));
    if (!kept)
        return false;
    *kept = made;
    *trace = kept;
    hand_on(kept, has_parent, header, pairs, count);
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
