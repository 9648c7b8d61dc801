/*
 * observe.h - tells metrics and vitals what a worker has done
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_OBSERVE_H
#define CORE_OBSERVE_H

#include "telemetry/metrics.h"
#include "verdict.h"

struct pipeline;

/* A call of the store, between two monotonic times. */
void observe_store(struct pipeline *pipeline, enum storage_op op, int64_t from, int64_t until,
                   enum outbox_status status);

void observe_claim(struct pipeline *pipeline, const struct batch *batch);

/* Events of a batch that the store has settled. */
struct settled_batch {
    const struct batch *batch;
    const struct outbox_settlement *settlements;
    uint64_t count;
    const struct verdict_counts *counts;
    uint64_t stale;
    int64_t from, until; /* the call of the store, monotonic */
    bool is_last;        /* nothing of the batch is left to settle */
};
void observe_settled(struct pipeline *pipeline, const struct settled_batch *settled);

/* Events of the batch that will not be settled by this relay. */
void observe_lost(struct pipeline *pipeline, uint64_t events);

#endif
