/*
 * queue.h - the batches that were handed over, and which of their messages are still to be sent
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_QUEUE_H
#define PUBLISHER_WEBHOOK_QUEUE_H

#include <outbox/publisher.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* A batch on its way. Ends with the completion of its last message. */
struct job {
    struct job *next;
    const struct outbox_batch *batch;
    uint64_t count, taken; /* messages; those before `taken` are in somebody's hands */
    int64_t deadline;
    _Atomic uint64_t open; /* messages that are not completed */
};

/* Messages of one job. */
struct piece {
    struct job *job;
    uint64_t first, count;
};

/* Any thread. */
struct queue {
    const struct outbox_host *host;
    pthread_mutex_t lock;
    pthread_cond_t emptied;
    struct job *first, *last; /* jobs with messages that nobody has taken */
    uint64_t open;            /* messages of all jobs that are not completed */
    bool is_closed;
    struct waiter *waiters; /* those who wait for work */
};

/* Somebody who takes messages. wake() is called under the queue's lock. */
struct waiter {
    struct waiter *next;
    bool is_waiting;
    void (*wake)(struct waiter *waiter);
};

bool queue_init(struct queue *queue, const struct outbox_host *host) OUTBOX_MUST_USE;
void queue_clear(struct queue *queue);
void queue_join(struct queue *queue, struct waiter *waiter);

/* False if the memory is used up: nothing was taken over. */
bool queue_put(struct queue *queue, const struct outbox_batch *batch) OUTBOX_MUST_USE;

/* Takes up to `most` messages of one job, in order; none if there are none. */
struct piece queue_take(struct queue *queue, uint64_t most) OUTBOX_MUST_USE;

/* Whether the caller may sleep: there is nothing to take, or `is_busy` as it is. In the latter case
 * work does not wake it. *deadline is when the first of the waiting messages has to be completed,
 * INT64_MAX if there are none. */
bool queue_may_sleep(struct queue *queue, struct waiter *waiter, bool is_busy,
                     int64_t *deadline) OUTBOX_MUST_USE;

/* Reports a run of messages. `reason` is NULL for those that were acknowledged. */
void queue_complete(struct queue *queue, struct piece piece, enum outbox_outcome outcome,
                    const char *reason);

/* Completes all that nobody has taken: of one batch, of jobs whose deadline has passed, or of all.
 */
void queue_cancel(struct queue *queue, const struct outbox_batch *batch,
                  enum outbox_outcome outcome, const char *reason);
void queue_expire(struct queue *queue, int64_t now, enum outbox_outcome outcome,
                  const char *reason);
void queue_release(struct queue *queue, enum outbox_outcome outcome, const char *reason);

/* Waits until no message is open; false if one is at `deadline`. */
bool queue_drain(struct queue *queue, int64_t deadline) OUTBOX_MUST_USE;

/* Tells those who wait that there will be nothing more. */
void queue_close(struct queue *queue);
bool queue_is_closed(struct queue *queue) OUTBOX_MUST_USE;

#endif
