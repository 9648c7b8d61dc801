/*
 * observe.h - tells metrics and vitals what a worker has done
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_OBSERVE_H
#define CORE_OBSERVE_H

#include "telemetry/metrics.h"
#include "verdict.h"

struct pipeline;

/* A call of the store that began at `started` (monotonic) and has just returned. */
void observe_store(struct pipeline *pipeline, enum storage_op op, int64_t started,
                   enum outbox_status status);

void observe_claim(struct pipeline *pipeline, const struct batch *batch);

/* `count` events of the batch were settled. */
void observe_settled(struct pipeline *pipeline, const struct batch *batch,
                     const struct outbox_settlement *settlements, uint64_t count,
                     const struct verdict_counts *counts,
                     const struct outbox_settle_result *result);

/* Events of the batch that will not be settled by this relay. */
void observe_lost(struct pipeline *pipeline, uint64_t events);

#endif
