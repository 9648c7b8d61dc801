/*
 * encode.h - figures, spans and log records as requests of OpenTelemetry's protocol
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_ENCODE_H
#define CORE_TELEMETRY_ENCODE_H

#include "log_records.h"
#include "otlp_message.h"
#include "points.h"
#include "spans.h"

/* Whoever can visit all points: points_visit(), or a test. */
typedef void points_source(struct relay *relay, point_visitor *visit, void *context);

/* The message of all points and, in *items, their number. It lives in the arena. NULL if memory ran
 * out. */
const ProtobufCMessage *encode_metrics(struct arena *arena, const struct resource *resource,
                                       points_source *source, struct relay *relay, int64_t start,
                                       uint64_t *items) __attribute__((warn_unused_result));

/* Of `count` spans in chained lists, those of the first before `offset` left out, and of chained
 * records. Ids are borrowed from these. */
const ProtobufCMessage *encode_spans(struct arena *arena, const struct resource *resource,
                                     const struct span_list *lists, uint64_t offset, uint64_t count)
    __attribute__((warn_unused_result));
const ProtobufCMessage *encode_logs(struct arena *arena, const struct resource *resource,
                                    const struct log_record *records)
    __attribute__((warn_unused_result));

#endif
