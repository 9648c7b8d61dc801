/*
 * queue.c - the batches that were handed over, and which of their messages are still to be sent
 * SPDX-License-Identifier: MIT
 */
#include "queue.h"

#include "outcome.h"
#include "turn.h"

#include <stdlib.h>

bool queue_init(struct queue *queue, const struct outbox_host *host)
{
    *queue = (struct queue){.host = host};
    if (pthread_mutex_init(&queue->lock, NULL) != 0)
        return false;
    if (condition_init(&queue->emptied))
        return true;
    (void)pthread_mutex_destroy(&queue->lock);
    return false;
}

void queue_clear(struct queue *queue)
{
    (void)pthread_cond_destroy(&queue->emptied);
    (void)pthread_mutex_destroy(&queue->lock);
}

void queue_join(struct queue *queue, struct waiter *waiter)
{
    (void)pthread_mutex_lock(&queue->lock);
    waiter->next = queue->waiters;
    queue->waiters = waiter;
    (void)pthread_mutex_unlock(&queue->lock);
}

/* Under the lock. */
static void wake_waiters(struct queue *queue, bool all)
{
    for (struct waiter *waiter = queue->waiters; waiter; waiter = waiter->next) {
        if (!waiter->is_waiting && !all)
            continue;
        waiter->is_waiting = false;
        waiter->wake(waiter);
    }
}

bool queue_put(struct queue *queue, const struct outbox_batch *batch)
{
    struct job *job = malloc(sizeof(*job));
    if (!job)
        return false;
    *job = (struct job){.batch = batch, .count = batch->count, .deadline = batch->deadline};
    atomic_init(&job->open, batch->count);
    (void)pthread_mutex_lock(&queue->lock);
    if (queue->last)
        queue->last->next = job;
    else
        queue->first = job;
    queue->last = job;
    queue->open += job->count;
    wake_waiters(queue, false);
    (void)pthread_mutex_unlock(&queue->lock);
    return true;
}

/* Under the lock. Takes a job out of the list whose messages are all taken. */
static void unlink_job(struct queue *queue, struct job *before, struct job *job)
{
    if (before)
        before->next = job->next;
    else
        queue->first = job->next;
    if (queue->last == job)
        queue->last = before;
    job->next = NULL;
}

struct piece queue_take(struct queue *queue, uint64_t most)
{
    struct piece piece = {NULL, 0, 0};
    (void)pthread_mutex_lock(&queue->lock);
    struct job *job = queue->first;
    if (job) {
        uint64_t left = job->count - job->taken;
        piece = (struct piece){job, job->taken, left < most ? left : most};
        job->taken += piece.count;
        if (job->taken == job->count)
            unlink_job(queue, NULL, job);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return piece;
}

bool queue_may_sleep(struct queue *queue, struct waiter *waiter, bool is_busy, int64_t *deadline)
{
    *deadline = INT64_MAX;
    (void)pthread_mutex_lock(&queue->lock);
    bool may_sleep = !queue->is_closed && (is_busy || !queue->first);
    waiter->is_waiting = may_sleep && !is_busy;
    for (const struct job *job = queue->first; job; job = job->next) {
        if (job->deadline < *deadline)
            *deadline = job->deadline;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return may_sleep;
}

void queue_complete(struct queue *queue, struct piece piece, enum outbox_outcome outcome,
                    const char *reason)
{
    if (piece.count == 0)
        return;
    struct job *job = piece.job;
    outcome_complete(queue->host, job->batch, piece.first, piece.count, outcome, reason);
    if (atomic_fetch_sub_explicit(&job->open, piece.count, memory_order_acq_rel) == piece.count)
        free(job);
    (void)pthread_mutex_lock(&queue->lock);
    queue->open -= piece.count;
    if (queue->open == 0)
        (void)pthread_cond_broadcast(&queue->emptied);
    (void)pthread_mutex_unlock(&queue->lock);
}

/* ---- What is not to be sent --------------------------------------------------------------- */

/* Takes what is left of the first job that fits: of this batch, or with a deadline up to `now`. */
static struct piece take_rest(struct queue *queue, const struct outbox_batch *batch, int64_t now)
{
    struct piece piece = {NULL, 0, 0};
    struct job *before = NULL;
    (void)pthread_mutex_lock(&queue->lock);
    for (struct job *job = queue->first; job; before = job, job = job->next) {
        if (batch ? job->batch != batch : job->deadline > now)
            continue;
        piece = (struct piece){job, job->taken, job->count - job->taken};
        job->taken = job->count;
        unlink_job(queue, before, job);
        break;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return piece;
}

void queue_cancel(struct queue *queue, const struct outbox_batch *batch,
                  enum outbox_outcome outcome, const char *reason)
{
    queue_complete(queue, take_rest(queue, batch, 0), outcome, reason);
}

void queue_expire(struct queue *queue, int64_t now, enum outbox_outcome outcome, const char *reason)
{
    for (;;) {
        struct piece piece = take_rest(queue, NULL, now);
        if (piece.count == 0)
            return;
        queue_complete(queue, piece, outcome, reason);
    }
}

void queue_release(struct queue *queue, enum outbox_outcome outcome, const char *reason)
{
    queue_expire(queue, INT64_MAX, outcome, reason);
}

bool queue_drain(struct queue *queue, int64_t deadline)
{
    (void)pthread_mutex_lock(&queue->lock);
    while (queue->open > 0) {
        int64_t left = deadline - queue->host->now(queue->host);
        if (left <= 0)
            break;
        condition_wait(&queue->emptied, &queue->lock, left);
    }
    bool is_empty = queue->open == 0;
    (void)pthread_mutex_unlock(&queue->lock);
    return is_empty;
}

void queue_close(struct queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->is_closed = true;
    wake_waiters(queue, true);
    (void)pthread_mutex_unlock(&queue->lock);
}

bool queue_is_closed(struct queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    bool is_closed = queue->is_closed;
    (void)pthread_mutex_unlock(&queue->lock);
    return is_closed;
}
