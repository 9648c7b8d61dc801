/*
 * prune.c - a pass over a table that deletes finished events, batch by batch
 * SPDX-License-Identifier: MIT
 */
#include "prune.h"

#include "clock.h"

static int64_t age_of(int64_t nanoseconds)
{
    return nanoseconds < 0 ? -1 : nanoseconds / MICROSECOND;
}

void prune_begin(struct prune_pass *pass, const struct outbox_store_ops *ops,
                 const struct maintenance *maintenance, bool only_count)
{
    *pass = (struct prune_pass){
        .ops = ops,
        .request = {.size = sizeof(pass->request),
                    .delivered_age = age_of(maintenance->delivered_age),
                    .dead_age = age_of(maintenance->dead_age),
                    .max_events = maintenance->batch,
                    .only_count = only_count},
    };
}

enum outbox_status prune_batch(struct prune_pass *pass, struct outbox_session *session,
                               struct outbox_error *error)
{
    struct outbox_prune_result result = {.size = sizeof(result)};
    int64_t began = clock_now();
    enum outbox_status status = pass->ops->prune(session, &pass->request, &result, error);
    if (status != OUTBOX_OK)
        return status;
    int64_t now = clock_now();
    pass->rest_until = now + (now - began);
    pass->delivered += result.delivered;
    pass->dead += result.dead;
    pass->request.position = result.position;
    pass->ended = result.position == 0;
    return OUTBOX_OK;
}

enum outbox_status prune_claim_table(const struct outbox_store_ops *ops,
                                     struct outbox_session *session, bool *granted,
                                     struct outbox_error *error)
{
    uint32_t is_ours = 1;
    enum outbox_status status =
        ops->maintain ? ops->maintain(session, 1, &is_ours, error) : OUTBOX_OK;
    *granted = status == OUTBOX_OK && is_ours;
    return status;
}
