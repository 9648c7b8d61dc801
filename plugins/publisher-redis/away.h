/*
 * away.h - whether the server is taken to be away, and why
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_AWAY_H
#define PUBLISHER_REDIS_AWAY_H

#include <outbox/types.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define AWAY_TOPIC 512

/* From the first failure until ping() has succeeded nothing is sent: what the relay has not heard
 * of yet would only fail as well, and overtake what failed. Any thread. */
struct away {
    const struct outbox_host *host;
    _Atomic bool is_away;
    _Atomic unsigned times; /* how often it began: connections from before are not trusted */
    pthread_mutex_t mutex;
    struct outbox_error why;
    enum outbox_status status;
    char topic[AWAY_TOPIC]; /* what Redis refused an event of; "" if it was not that */
    uint64_t topic_len;
};

bool away_init(struct away *away, const struct outbox_host *host) OUTBOX_MUST_USE;
void away_clear(struct away *away);

static inline bool away_is(struct away *away)
{
    return atomic_load_explicit(&away->is_away, memory_order_acquire);
}

/* `topic` is absent unless Redis answered and refused an event of it. Logs a change. */
void away_begin(struct away *away, enum outbox_status status, const char *native_code,
                const char *why, struct outbox_slice topic);

/* A ping has succeeded. Logs a change. */
void away_end(struct away *away);

/* Why, as an error; returns its class. */
enum outbox_status away_report(struct away *away, struct outbox_error *error) OUTBOX_MUST_USE;

/* Copies the topic that was refused last; its length, 0 for none. */
uint64_t away_topic(struct away *away, char topic[AWAY_TOPIC]) OUTBOX_MUST_USE;

#endif
