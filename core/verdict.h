/*
 * verdict.h - from what the publisher said to what the store shall write
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_VERDICT_H
#define CORE_VERDICT_H

#include "batch.h"
#include "config.h"

/* How many of a run of settlements went which way. */
struct verdict_counts {
    uint64_t delivered, dropped, retried, unknown, dead, released;
};

/* Writes a settlement for every event of the batch that has an outcome and is not settled yet;
 * returns how many. `settlements` has room for batch->count. */
uint64_t verdicts_gather(const struct batch *batch, const struct tunables *tunables,
                         struct random *random, struct outbox_settlement *settlements,
                         struct verdict_counts *counts);

/* Microseconds to wait after failed attempt number `attempt` (1 is the first). */
int64_t retry_delay(const struct tunables *tunables, int64_t attempt, double jitter_fraction);

#endif
