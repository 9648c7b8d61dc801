/*
 * batch_spans.h - the spans of a batch that was settled, and of its events
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_BATCH_SPANS_H
#define CORE_BATCH_SPANS_H

#include "observe.h"
#include "telemetry/tracer.h"

/* Hands over what the exporter has room for. */
void batch_spans_send(struct tracer *tracer, const struct pipeline *pipeline,
                      const struct settled_batch *settled);

#endif
