/*
 * otlp_message.h - makes the messages of OpenTelemetry's protocol in memory freed as a whole
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_OTLP_MESSAGE_H
#define CORE_TELEMETRY_OTLP_MESSAGE_H

#include "../arena.h"
#include "resource.h"

#include <otlp.pb-c.h>
#include <outbox/types.h>

/* All of these give NULL or false when there is no memory left. */

/* A message with nothing in it. */
void *otlp_new(struct arena *arena, const ProtobufCMessageDescriptor *kind)
    __attribute__((warn_unused_result));

/* The same, put at the end of a repeated field, whose array `items` points to. */
void *otlp_add(struct arena *arena, const ProtobufCMessageDescriptor *kind, size_t *count,
               void *items) __attribute__((warn_unused_result));

/* A copy of a text that is UTF-8 for certain: what is none becomes U+FFFD. */
char *otlp_text(struct arena *arena, struct outbox_slice text) __attribute__((warn_unused_result));

Otlp__AnyValue *otlp_text_value(struct arena *arena, struct outbox_slice text)
    __attribute__((warn_unused_result));

bool otlp_add_text(struct arena *arena, size_t *count, Otlp__KeyValue ***items, const char *name,
                   struct outbox_slice text) __attribute__((warn_unused_result));
bool otlp_add_number(struct arena *arena, size_t *count, Otlp__KeyValue ***items, const char *name,
                     int64_t number) __attribute__((warn_unused_result));

/* A request of that kind about one resource and one scope, and in the pointer that `scope` points
 * to the scope's message, whose items are left to add. The three signals' requests have one shape:
 * their last field, and that of the messages in it, is what repeats, and the first says what that
 * is about. */
ProtobufCMessage *otlp_request(struct arena *arena, const ProtobufCMessageDescriptor *kind,
                               const struct resource *resource, void *scope)
    __attribute__((warn_unused_result));

#endif
