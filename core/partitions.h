/*
 * partitions.h - has a store create the partitions that the coming time needs, and drop old ones
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_PARTITIONS_H
#define CORE_PARTITIONS_H

#include "config.h"
#include "event_field.h"

#include <outbox/plugin.h>

/* What is to be done this time. */
struct partition_plan {
    struct partitioning partitioning;
    int64_t now;    /* microseconds since 1970 to reckon from; 0: the database's clock */
    bool only_show; /* changes nothing */
};

/* Each change is handed to `emit` once it is done, also those before a failure. UNSUPPORTED, with
 * the remedy, where the store or its table has no partitions. */
enum outbox_status partitions_tend(const struct outbox_store_ops *ops,
                                   struct outbox_session *session,
                                   const struct partition_plan *plan, outbox_partition_change *emit,
                                   void *context, struct outbox_error *error)
    __attribute__((warn_unused_result));

static inline bool partitioning_equals(const struct partitioning *a, const struct partitioning *b)
{
    return a->is_wanted == b->is_wanted && a->period == b->period && a->lookahead == b->lookahead &&
           a->retention == b->retention;
}

/* "created", "dropped" or "kept". */
const char *partition_action_text(uint32_t action);

/* A bound as RFC 3339, without a fraction that is zero; NULL where there is none. */
#define PARTITION_TIME EVENT_TIME_TEXT
const char *partition_time(int64_t microseconds, char text[PARTITION_TIME]);

#endif
