/*
 * verdict.c - from what the publisher said to what the store shall write
 * SPDX-License-Identifier: MIT
 */
#include "verdict.h"

#include "clock.h"

int64_t retry_delay(const struct tunables *tunables, int64_t attempt, double jitter_fraction)
{
    int64_t delay = tunables->base_delay;

    for (int64_t i = 1; i < attempt && delay < tunables->max_delay; i++)
        delay = delay > tunables->max_delay / 2 ? tunables->max_delay : delay * 2;
    if (delay > tunables->max_delay)
        delay = tunables->max_delay;
    delay += (int64_t)((double)delay * tunables->jitter * jitter_fraction);
    return delay / MICROSECOND;
}

static void bury(const struct tunables *tunables, uint32_t charge,
                 struct outbox_settlement *settlement, struct verdict_counts *counts)
{
    settlement->verdict = OUTBOX_SETTLE_DEAD;
    settlement->charge = charge;
    settlement->delay = tunables->max_delay / MICROSECOND;
    counts->dead++;
}

static void charge_attempt(const struct outbox_event *event, const struct tunables *tunables,
                           struct random *random, struct outbox_settlement *settlement,
                           struct verdict_counts *counts)
{
    int64_t attempt = event->attempts + 1;

    if (attempt >= tunables->max_attempts) {
        bury(tunables, 1, settlement, counts);
        return;
    }
    settlement->verdict = OUTBOX_SETTLE_RETRY;
    settlement->delay = retry_delay(tunables, attempt, random_fraction(random));
    counts->retried++;
}

static void decide(const struct batch *batch, uint64_t index, uint8_t outcome,
                   const struct tunables *tunables, struct random *random,
                   struct outbox_settlement *settlement, struct verdict_counts *counts)
{
    const struct outbox_event *event = outbox_claim_at(batch->claim, index);

    *settlement = (struct outbox_settlement){.index = index};
    switch (outcome) {
    case OUTBOX_ACKED:
        settlement->verdict = OUTBOX_SETTLE_DELIVERED;
        counts->delivered++;
        return;
    case OUTCOME_DROPPED: /* nobody wants it: done as well, but counted apart */
        settlement->verdict = OUTBOX_SETTLE_DELIVERED;
        counts->dropped++;
        return;
    case OUTCOME_TIMED_OUT:
        settlement->error = outbox_slice_of("no answer from the publisher within publish.timeout");
        counts->unknown++;
        charge_attempt(event, tunables, random, settlement, counts);
        return;
    case OUTBOX_UNKNOWN:
        counts->unknown++;
        /* fall through */
    case OUTBOX_RETRY:
        settlement->error = batch->events[index].reason;
        charge_attempt(event, tunables, random, settlement, counts);
        return;
    case OUTBOX_AWAY:
        settlement->error = batch->events[index].reason;
        /* fall through */
    case OUTCOME_SHUTDOWN:
        settlement->verdict = OUTBOX_SETTLE_RELEASE;
        counts->released++;
        return;
    default: /* REJECTED by the broker, or UNSENDABLE: never sent, so no attempt */
        bury(tunables, outcome == OUTBOX_REJECTED, settlement, counts);
        settlement->error = batch->events[index].reason;
        return;
    }
}

uint64_t verdicts_gather(const struct batch *batch, const struct tunables *tunables,
                         struct random *random, struct outbox_settlement *settlements,
                         struct verdict_counts *counts)
{
    uint64_t gathered = 0;

    *counts = (struct verdict_counts){0};
    for (uint64_t i = 0; i < batch->count; i++) {
        uint8_t outcome = batch_outcome(batch, i);
        if (outcome == OUTCOME_OPEN || batch->events[i].settled)
            continue;
        decide(batch, i, outcome, tunables, random, &settlements[gathered++], counts);
    }
    return gathered;
}
