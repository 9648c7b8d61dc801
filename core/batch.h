/*
 * batch.h - one claim on its way over the broker: messages out, outcomes in
 * SPDX-License-Identifier: MIT
 *
 * A worker owns its batches. Completions come from any thread, each event's exactly once; all that
 * they touch is atomic or under reason_lock.
 */
#ifndef CORE_BATCH_H
#define CORE_BATCH_H

#include "arena.h"
#include "bell.h"
#include "gate.h"
#include "lease.h"
#include "route.h"

#include <outbox/publisher.h>
#include <outbox/store.h>
#include <stdatomic.h>

/* What became of an event: 0 while nothing has, an enum outbox_outcome, or one of ours. */
enum {
    OUTCOME_OPEN = 0,
    OUTCOME_TIMED_OUT = 16,  /* the driver did not complete it in time */
    OUTCOME_SHUTDOWN = 17,   /* the relay stops before the broker answered */
    OUTCOME_UNSENDABLE = 18, /* refused before it was sent */
    OUTCOME_DROPPED = 19     /* a rule sends it nowhere */
};

struct batch_event {
    _Atomic uint8_t outcome;
    _Atomic uint8_t completed; /* by the driver, whatever the relay decided before */
    bool settled;              /* the owner's only */
    int64_t completed_at;      /* monotonic; 0: not, or not by the driver. As `reason` */
    struct outbox_slice reason;
};

struct batch {
    struct outbox_batch
        view; /* what the driver sees; first, so that a batch can be found from it */
    struct batch *next;
    struct outbox_claim *claim;
    struct lease lease;

    uint64_t count;             /* events of the claim */
    uint64_t bytes;             /* of their payloads */
    uint64_t settled;           /* of these, settled or given up */
    struct batch_event *events; /* by index in the claim */
    struct outbox_message *messages;
    uint64_t *event_of; /* index in the claim by index in `messages` */
    uint64_t capacity;
    struct arena arena; /* headers and reasons of refusals */

    _Atomic uint64_t completed; /* messages that the driver has completed */
    pthread_mutex_t reason_lock;
    struct arena reasons; /* under reason_lock */

    struct gate *gate;      /* told when the broker is away */
    struct bell *gate_bell; /* rung then */
    struct bell *bell;      /* rung when the last message is completed */
    int64_t published_at;   /* handed to the driver */
    int64_t partial_at;     /* when to settle what is known although not all is */
    int64_t give_up_at;     /* when to stop waiting for the driver */
    unsigned settle_failures;
    bool given_up;
    bool stranded; /* mode hold: the transaction that held the rows is gone */
};

struct batch *batch_new(struct gate *gate, struct bell *gate_bell, struct bell *bell)
    __attribute__((warn_unused_result));
void batch_free(struct batch **batch);

/* Makes the messages of `claim`. Events that are not sent get their outcome here. False if
 * memory ran out: the batch is then as before. */
bool batch_fill(struct batch *batch, struct outbox_claim *claim, const struct route *route,
                uint64_t max_payload, int64_t deadline) __attribute__((warn_unused_result));

/* outbox_host.complete of publishers. */
void batch_complete(const struct outbox_host *host, const struct outbox_batch *view, uint64_t first,
                    uint64_t count, const struct outbox_result *result);

/* The relay's own decision for every event that is still open. */
void batch_decide_open(struct batch *batch, uint8_t outcome);

/* publish() refused the batch: nothing was sent. */
void batch_refuse(struct batch *batch, const struct outbox_error *error);

/* The driver is done with the batch and holds no pointer into it. */
static inline bool batch_is_returned(const struct batch *batch)
{
    return atomic_load_explicit(&batch->completed, memory_order_acquire) == batch->view.count;
}

static inline uint8_t batch_outcome(const struct batch *batch, uint64_t index)
{
    return atomic_load_explicit(&batch->events[index].outcome, memory_order_acquire);
}

/* Every event has an outcome. */
static inline bool batch_is_decided(const struct batch *batch)
{
    return batch->given_up || batch_is_returned(batch);
}

#endif
