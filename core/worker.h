/*
 * worker.h - claims, publishes and settles, with many batches in flight
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include "batch.h"
#include "pipeline.h"
#include "seat.h"

/* The first claim is small: nothing is known of the payloads' size yet, nor of the broker. */
#define FIRST_CLAIM 64
/* A batch that is not answered as a whole is settled piece by piece, so often. */
#define PARTIAL_AFTER (250 * MILLISECOND)

struct worker {
    struct pipeline *pipeline;
    pthread_t thread;
    struct bell bell;
    struct tunables tunables; /* as of the current round */

    struct seat seat;
    struct backoff reconnect;
    int64_t reconnect_at;
    unsigned failures;   /* in a row */
    bool settle_refused; /* the last settling failed, though the store was there */

    struct batch *in_flight; /* oldest first */
    uint64_t in_flight_events, in_flight_bytes;
    struct batch *zombies; /* settled, but the driver still holds them */
    struct batch *spare;
    struct outbox_settlement *settlements;
    uint64_t settlement_capacity;

    uint64_t claim_limit; /* grows to batch_size while payloads are small */
    uint64_t claim_number;
    uint64_t token_seed;
    struct random random;

    bool hungry;     /* there may be more to claim */
    bool from_start; /* --once: the next claim decides whether all is drained */
    bool drained;
    _Atomic bool parked, kicked;
    _Atomic int64_t busy_since; /* 0: it waits */
    int64_t poll_interval, poll_at;
    bool armed;
    int wake_fd;
    int64_t arm_at; /* not before: the wake-up channel failed */
};

bool worker_init(struct worker *worker, struct pipeline *pipeline)
    __attribute__((warn_unused_result));
bool worker_start(struct worker *worker) __attribute__((warn_unused_result));

/* After the thread has ended and the publisher is closed. */
void worker_clear(struct worker *worker);

/* Makes the worker claim again; any thread. */
void worker_kick(struct worker *worker);

/* Ends the store call that the worker may be in; any thread. */
void worker_interrupt(struct worker *worker);

#endif
