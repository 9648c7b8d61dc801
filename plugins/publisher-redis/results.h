/*
 * results.h - outcomes on their way to the relay, joined into runs
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_RESULTS_H
#define PUBLISHER_REDIS_RESULTS_H

#include <outbox/publisher.h>
#include <stdbool.h>

#define RESULTS_REASON 472

/* Starts as all zeroes but for the host. One thread at a time. */
struct results {
    const struct outbox_host *host;
    const struct outbox_batch *batch; /* of the run that grows; NULL: there is none */
    uint64_t first, count;
    enum outbox_outcome outcome;
    char reason[RESULTS_REASON];
    uint64_t reported; /* messages, ever */
};

/* A message has ended. `reason` is NULL for ACKED. The batch may be gone after the next call. */
void results_add(struct results *results, const struct outbox_batch *batch, uint64_t index,
                 enum outbox_outcome outcome, const char *reason);

/* Hands over the run that grows. */
void results_report(struct results *results);

#endif
