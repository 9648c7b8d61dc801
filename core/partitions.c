/*
 * partitions.c - has a store create the partitions that the coming time needs, and drop old ones
 * SPDX-License-Identifier: MIT
 */
#include "partitions.h"

#include "clock.h"

#include <string.h>

enum outbox_status partitions_tend(const struct outbox_store_ops *ops,
                                   struct outbox_session *session,
                                   const struct partition_plan *plan, outbox_partition_change *emit,
                                   void *context, struct outbox_error *error)
{
    const struct partitioning *wanted = &plan->partitioning;
    if (!ops->partitions)
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "this store has no partitions");
    struct outbox_partition_request request = {
        .size = sizeof(request),
        .now = plan->now,
        .lookahead = wanted->lookahead / MICROSECOND,
        .retention = wanted->retention < 0 ? -1 : wanted->retention / MICROSECOND,
        .period = wanted->period,
        .only_show = plan->only_show,
    };
    return ops->partitions(session, &request, emit, context, error);
}

const char *partition_action_text(uint32_t action)
{
    switch (action) {
    case OUTBOX_PARTITION_CREATED:
        return "created";
    case OUTBOX_PARTITION_DROPPED:
        return "dropped";
    default:
        return "kept";
    }
}

const char *partition_time(int64_t microseconds, char text[PARTITION_TIME])
{
    if (microseconds == INT64_MIN || microseconds == INT64_MAX)
        return NULL;
    event_time_write(microseconds, text);
    char *fraction = strstr(text, ".000000Z");
    if (fraction)
        memcpy(fraction, "Z", 2);
    return text;
}
