/*
 * results.c - outcomes on their way to the relay, joined into runs
 * SPDX-License-Identifier: MIT
 */
#include "results.h"

#include "outcome.h"

static bool is_next(const struct results *results, const struct outbox_batch *batch, uint64_t index,
                    enum outbox_outcome outcome, const char *reason)
{
    return results->batch == batch && results->first + results->count == index &&
           results->outcome == outcome && (!reason || strcmp(results->reason, reason) == 0);
}

void results_add(struct results *results, const struct outbox_batch *batch, uint64_t index,
                 enum outbox_outcome outcome, const char *reason)
{
    if (is_next(results, batch, index, outcome, reason)) {
        results->count++;
        return;
    }
    results_report(results);
    results->batch = batch;
    results->first = index;
    results->count = 1;
    results->outcome = outcome;
    (void)snprintf(results->reason, sizeof(results->reason), "%s", reason ? reason : "");
}

void results_report(struct results *results)
{
    if (!results->batch)
        return;
    const struct outbox_batch *batch = results->batch;
    results->batch = NULL;
    results->reported += results->count;
    outcome_complete(results->host, batch, results->first, results->count, results->outcome,
                     results->outcome == OUTBOX_ACKED ? NULL : results->reason);
}
