/*
 * cloudevents.h - an event as a CloudEvent 1.0
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CLOUDEVENTS_H
#define CORE_CLOUDEVENTS_H

#include "header_plan.h"

/* Binary mode: fills content_type and attributes of the message; the payload stays as it is.
 * Structured mode: makes the payload a JSON envelope in `arena`, and content_type that of an
 * envelope. The event's headers are still those of the event, message->key is set. */
enum made cloudevents_make(const struct route *route, const struct event_source *source,
                           struct arena *arena, struct outbox_message *message,
                           struct outbox_slice *why) __attribute__((warn_unused_result));

#endif
