/*
 * keeper.h - keeps leases alive, ends expired ones, probes an absent broker
 * SPDX-License-Identifier: MIT
 *
 * The supervisor's housekeeping, on a session of its own, so that a worker that is busy with the
 * broker never lets a lease run out.
 */
#ifndef CORE_KEEPER_H
#define CORE_KEEPER_H

#include "pipeline.h"

struct keeper {
    struct pipeline *pipeline;
    struct backoff reconnect;
    int64_t reconnect_at, reap_at;
    int64_t longest_lease; /* that this process ever claimed under */
    bool examined;         /* the schema, once at start */
};

void keeper_init(struct keeper *keeper, struct pipeline *pipeline);
void keeper_clear(struct keeper *keeper);

/* Does what is due. */
void keeper_round(struct keeper *keeper);

/* When something will be due. */
int64_t keeper_deadline(const struct keeper *keeper);

#endif
