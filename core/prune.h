/*
 * prune.h - a pass over a table that deletes finished events, batch by batch
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_PRUNE_H
#define CORE_PRUNE_H

#include "config.h"

struct prune_pass {
    const struct outbox_store_ops *ops; /* has `prune` */
    struct outbox_prune_request request;
    uint64_t delivered, dead; /* deleted so far, or counted */
    int64_t rest_until;       /* monotonic: the next batch shall not come before */
    bool ended;
};

/* Begins a pass; `only_count`: one that changes nothing. */
void prune_begin(struct prune_pass *pass, const struct outbox_store_ops *ops,
                 const struct maintenance *maintenance, bool only_count);

/* One batch: a transaction of its own. The store has as long a rest after it as it took, so that a
 * pass never takes more than half of what one connection can. */
enum outbox_status prune_batch(struct prune_pass *pass, struct outbox_session *session,
                               struct outbox_error *error) __attribute__((warn_unused_result));

/* Whether there is something to do at all. */
static inline bool prune_is_wanted(const struct maintenance *maintenance)
{
    return maintenance->delivered_age >= 0 || maintenance->dead_age >= 0;
}

/* Makes the session the only one that maintains the table. OK and *granted false: another one is.
 */
enum outbox_status prune_claim_table(const struct outbox_store_ops *ops,
                                     struct outbox_session *session, bool *granted,
                                     struct outbox_error *error)
    __attribute__((warn_unused_result));

#endif
