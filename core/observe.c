/*
 * observe.c - tells metrics and vitals what a worker has done
 * SPDX-License-Identifier: MIT
 */
#include "observe.h"

#include "clock.h"
#include "pipeline.h"

static double seconds(int64_t nanoseconds)
{
    return nanoseconds > 0 ? (double)nanoseconds / (double)SECOND : 0;
}

void observe_store(struct pipeline *pipeline, enum storage_op op, int64_t from, int64_t until,
                   enum outbox_status status)
{
    size_t result = status == OUTBOX_OK ? STORAGE_SUCCESS : STORAGE_ERROR;
    if (status == OUTBOX_INTERRUPTED)
        return; /* our own wish: it says nothing of the store */
    metrics_observe(&pipeline->metrics, STORAGE_LATENCY, op * STORAGE_STATUS_COUNT + result,
                    seconds(until - from), 1);
}

void observe_claim(struct pipeline *pipeline, const struct batch *batch)
{
    atomic_fetch_add_explicit(&pipeline->vitals.in_flight, batch->count, memory_order_relaxed);
    metrics_add(&pipeline->metrics, EVENTS_CLAIMED, 0, batch->count);
    metrics_observe(&pipeline->metrics, EVENTS_BATCH_SIZE, 0, (double)batch->count, 1);
}

void observe_lost(struct pipeline *pipeline, uint64_t events)
{
    atomic_fetch_sub_explicit(&pipeline->vitals.in_flight, events, memory_order_relaxed);
    metrics_add(&pipeline->metrics, EVENTS_STALE, 0, events);
}

/* ---- A settled batch ----------------------------------------------------------------------- */

struct settled {
    struct histogram_tally e2e, publish[2]; /* the latter by enum publisher_status */
    uint64_t classes[CLASS_UNSENDABLE + 1];
    int64_t wall; /* added to a monotonic time, gives one of the clock on the wall */
};

static enum outcome_class class_of(uint8_t outcome)
{
    switch (outcome) {
    case OUTBOX_ACKED:
        return CLASS_ACKED;
    case OUTBOX_RETRY:
        return CLASS_RETRY;
    case OUTBOX_UNKNOWN:
    case OUTCOME_TIMED_OUT:
        return CLASS_UNKNOWN;
    case OUTBOX_REJECTED:
        return CLASS_REJECTED;
    case OUTBOX_AWAY:
        return CLASS_AWAY;
    default:
        return CLASS_UNSENDABLE;
    }
}

static void look_at(struct settled *settled, const struct batch *batch, uint64_t index)
{
    uint8_t outcome = batch_outcome(batch, index);
    const struct batch_event *slot = &batch->events[index];
    const struct outbox_event *event = outbox_claim_at(batch->claim, index);

    if (outcome == OUTCOME_DROPPED || outcome == OUTCOME_SHUTDOWN)
        return;
    enum outcome_class class = class_of(outcome);
    settled->classes[class]++;
    if (outcome > OUTBOX_AWAY || slot->completed_at == 0)
        return; /* not the driver's word: completed_at may not be looked at, or says nothing */
    bool acked = class == CLASS_ACKED;
    tally_add(&settled->publish[acked ? PUBLISHER_SUCCESS : PUBLISHER_FAILED], PUBLISHER_LATENCY,
              seconds(slot->completed_at - batch->published_at));
    if (acked && event->created_at > 0)
        tally_add(&settled->e2e, EVENTS_E2E_LATENCY,
                  seconds(slot->completed_at + settled->wall - event->created_at * MICROSECOND));
}

static void count_settled(struct metrics *metrics, const struct settled *settled)
{
    const uint64_t *classes = settled->classes;

    for (size_t i = 0; i <= CLASS_UNSENDABLE; i++)
        metrics_add(metrics, EVENTS_OUTCOMES, i, classes[i]);
    metrics_add(metrics, EVENTS_TOTAL, EVENTS_SUCCESS, classes[CLASS_ACKED]);
    metrics_add(metrics, EVENTS_TOTAL, EVENTS_FAILED,
                classes[CLASS_RETRY] + classes[CLASS_UNKNOWN] + classes[CLASS_REJECTED] +
                    classes[CLASS_UNSENDABLE]);
    metrics_observe_tally(metrics, EVENTS_E2E_LATENCY, 0, &settled->e2e);
    for (size_t i = 0; i < 2; i++)
        metrics_observe_tally(metrics, PUBLISHER_LATENCY, i, &settled->publish[i]);
}

/* Of `count` events those that were not among the `stale` ones, which become fewer by the others.
 */
static uint64_t without_stale(uint64_t count, uint64_t *stale)
{
    uint64_t taken = count < *stale ? count : *stale;

    *stale -= taken;
    return count - taken;
}

static void count_verdicts(struct metrics *metrics, const struct verdict_counts *counts,
                           uint64_t stale)
{
    uint64_t left = stale;

    /* Which events were stale is not known, but each ends in one way: nearly always they were to be
     * DELIVERED, and often all of a batch were. */
    metrics_add(metrics, EVENTS_DELIVERED, 0, without_stale(counts->delivered, &left));
    metrics_add(metrics, EVENTS_DROPPED, 0, without_stale(counts->dropped, &left));
    metrics_add(metrics, EVENTS_RETRIED, 0, without_stale(counts->retried, &left));
    metrics_add(metrics, EVENTS_RELEASED, 0, without_stale(counts->released, &left));
    metrics_add(metrics, EVENTS_DEAD, 0, without_stale(counts->dead, &left));
    metrics_add(metrics, EVENTS_STALE, 0, stale);
}

static void remember_dead(struct vitals *vitals, const struct settled_batch *batch)
{
    for (uint64_t i = 0; i < batch->count; i++) {
        const struct outbox_settlement *settlement = &batch->settlements[i];
        if (settlement->verdict == OUTBOX_SETTLE_DEAD)
            vitals_dead(vitals, outbox_claim_at(batch->batch->claim, settlement->index)->id,
                        settlement->error);
    }
}

void observe_settled(struct pipeline *pipeline, const struct settled_batch *batch)
{
    int64_t now = clock_now();
    struct settled settled = {.wall = clock_wall() - now};

    for (uint64_t i = 0; i < batch->count; i++)
        look_at(&settled, batch->batch, batch->settlements[i].index);
    count_settled(&pipeline->metrics, &settled);
    count_verdicts(&pipeline->metrics, batch->counts, batch->stale);
    if (batch->counts->dead > 0)
        remember_dead(&pipeline->vitals, batch);
    atomic_fetch_sub_explicit(&pipeline->vitals.in_flight, batch->count, memory_order_relaxed);
    if (batch->count > batch->counts->released + batch->counts->unknown)
        atomic_store_explicit(&pipeline->vitals.progressed_at, now, memory_order_relaxed);
}
