/*
 * message.h - makes the message to publish out of an event
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_MESSAGE_H
#define CORE_MESSAGE_H

#include "route.h"
#include "telemetry/tracer.h"

enum message_status {
    MESSAGE_MADE,
    MESSAGE_DROPPED,   /* a rule says that it goes nowhere */
    MESSAGE_NEVER,     /* the event can never be sent: *why says so, in the arena or constant */
    MESSAGE_NO_MEMORY, /* the event is not at fault */
};

/* Points into the event and into `route`; what has to be written goes to `arena`. `max_payload`
 * bounds the event's payload, and what is sent in its stead. `tracer` is NULL where nothing is
 * traced; *trace is set where the event will have a span, and else left as it is. */
enum message_status message_make(const struct route *route, const struct outbox_event *event,
                                 uint64_t max_payload, struct tracer *tracer, struct arena *arena,
                                 struct outbox_message *message, const struct event_trace **trace,
                                 struct outbox_slice *why) __attribute__((warn_unused_result));

#endif
