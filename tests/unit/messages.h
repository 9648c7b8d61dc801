/*
 * messages.h - makes messages by the route of a configuration, for the tests
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_MESSAGES_H
#define TESTS_MESSAGES_H

#include "configuration.h"
#include "message.h"

#define NO_LIMIT UINT64_MAX
#define SLICE(text)                                                                                \
    {                                                                                              \
        "" text, sizeof(text) - 1                                                                  \
    }

/* A route and the last message that was made by it. */
struct maker {
    struct loaded loaded;
    struct arena arena;
    enum message_status status;
    struct outbox_message message;
    struct tracer *tracer; /* NULL: none */
    const struct event_trace *trace;
    struct outbox_slice why;
};

/* An event that has every field. */
extern const struct outbox_event full_event;

/* An event with nothing but what every event has. */
extern const struct outbox_event bare_event;

struct outbox_event with_headers(const char *json);
struct outbox_event with_payload(const void *bytes, size_t len);

/* `route` is JSON with ' in the place of ". The publisher is "mailer". */
void maker_init(struct maker *maker, const char *route);
void maker_make(struct maker *maker, const struct outbox_event *event, uint64_t max_payload);
void maker_clear(struct maker *maker);

/* A maker that has made one message. */
void make(struct maker *maker, const char *route, const struct outbox_event *event);

/* The same text; NULL: absent. */
void assert_text(struct outbox_slice text, const char *expected);

/* Exactly these, in this order: names and values in turn, NULL ends. */
void assert_pairs(const struct outbox_pair *pairs, uint64_t count, ...) __attribute__((sentinel));

/* The event is never sent, for that reason. */
void assert_never(const char *route, const struct outbox_event *event, const char *why);

/* The route is refused with exactly these lines (NULL ends), each behind "pipelines[0].route". */
void assert_route_refused(const char *publisher, const char *route, ...) __attribute__((sentinel));

#endif
