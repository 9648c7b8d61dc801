/*
 * outcome.h - tells the relay how a run of messages ended
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_OUTCOME_H
#define PLUGINS_COMMON_OUTCOME_H

#include <outbox/publisher.h>

/* Nothing for a run of no messages. */
static inline void outcome_complete(const struct outbox_host *host,
                                    const struct outbox_batch *batch, uint64_t first,
                                    uint64_t count, enum outbox_outcome outcome, const char *reason)
{
    const struct outbox_result result = {
        .size = sizeof(result), .outcome = outcome, .reason = outbox_slice_of(reason)};
    if (count > 0)
        host->complete(host, batch, first, count, &result);
}

/* Of a publisher that writes in order and stops at the first failure: what came before it is ACKED,
 * the rest AWAY. */
static inline void outcome_complete_prefix(const struct outbox_host *host,
                                           const struct outbox_batch *batch, uint64_t acked,
                                           const char *reason)
{
    uint64_t count = batch->count;
    outcome_complete(host, batch, 0, acked, OUTBOX_ACKED, NULL);
    if (acked < count)
        outcome_complete(host, batch, acked, count - acked, OUTBOX_AWAY, reason);
}

#endif
