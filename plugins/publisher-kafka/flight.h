/*
 * flight.h - batches on their way, and which of their messages are still out
 * SPDX-License-Identifier: MIT
 *
 * The client library points at the memory of a message until it has reported on it, so a message is
 * completed by its report and by nothing else, unless the client that held it is gone.
 */
#ifndef PUBLISHER_KAFKA_FLIGHT_H
#define PUBLISHER_KAFKA_FLIGHT_H

#include <outbox/publisher.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct flights {
    const struct outbox_host *host;
    pthread_mutex_t lock;
    struct flight *first; /* under the lock */
};

struct flight {
    struct flights *owner;
    const struct outbox_batch *batch;
    uint64_t count;
    int64_t deadline;
    _Atomic uint64_t open; /* messages without an outcome */
    _Atomic bool is_cancelled;
    struct flight *previous, *next; /* under the owner's lock */
    bool is_listed, is_published;   /* the same */
    uint8_t *is_done;               /* for each message; by the thread that completes it */
    struct flight *handles[];       /* for each message: what its report brings back */
};

bool flights_init(struct flights *flights, const struct outbox_host *host) OUTBOX_MUST_USE;
void flights_clear(struct flights *flights);

/* NULL if the memory is used up. It goes when its last message is completed and publish() has let
 * go of it. */
struct flight *flight_new(struct flights *flights,
                          const struct outbox_batch *batch) OUTBOX_MUST_USE;
void flight_let_go(struct flight *flight);

/* What goes along with a message, and the way back from there. */
static inline void *flight_handle(struct flight *flight, uint64_t index)
{
    return &flight->handles[index];
}

static inline struct flight *flight_of(void *handle, uint64_t *index)
{
    struct flight **place = handle;
    *index = (uint64_t)(place - (*place)->handles);
    return *place;
}

/* Completes messages of which none has an outcome yet. The flight may be gone afterwards. */
void flight_complete(struct flight *flight, uint64_t first, uint64_t count, uint32_t outcome,
                     const char *reason);

/* What is not handed over yet of the batch, if it is on its way, shall not be. */
void flights_cancel(struct flights *flights, const struct outbox_batch *batch);

/* The earliest deadline, INT64_MAX if nothing is on its way. */
int64_t flights_deadline(struct flights *flights);

/* Completes everything that is open. Only while nothing can be reported any more. */
void flights_sweep(struct flights *flights, uint32_t outcome, const char *reason);

#endif
