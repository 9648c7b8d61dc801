/*
 * trace_context.h - the W3C header that a trace travels in
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_TRACE_CONTEXT_H
#define CORE_TELEMETRY_TRACE_CONTEXT_H

#include "spans.h"

#define TRACEPARENT "traceparent"
#define TRACESTATE "tracestate"
#define TRACEPARENT_LEN 55

struct trace_parent {
    struct span_context context;
    bool is_sampled;
};

/* False: no header that the specification knows, to be taken as none at all. */
bool traceparent_parse(struct outbox_slice text, struct trace_parent *parent);

/* Of a span that is recorded. No NUL is written. */
void traceparent_write(const struct span_context *context, char text[TRACEPARENT_LEN]);

#endif
