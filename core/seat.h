/*
 * seat.h - a thread's session with the store, where other threads can interrupt it
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_SEAT_H
#define CORE_SEAT_H

#include <outbox/store.h>
#include <pthread.h>

/* Its owner alone opens, uses and closes the session. */
struct seat {
    const struct outbox_store_ops *ops;
    pthread_mutex_t lock; /* guards the pointer, for interrupts from other threads */
    struct outbox_session *session;
};

void seat_init(struct seat *seat, const struct outbox_store_ops *ops);
void seat_clear(struct seat *seat); /* after seat_close() */

/* Opens a session, if there is none, within `timeout` nanoseconds. */
enum outbox_status seat_open(struct seat *seat, struct outbox_store *store, int64_t timeout,
                             struct outbox_error *error) __attribute__((warn_unused_result));

/* Harmless without a session. */
void seat_close(struct seat *seat);

/* Any thread: ends the store call that the owner may be in. */
void seat_interrupt(struct seat *seat);

#endif
