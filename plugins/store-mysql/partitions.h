/*
 * partitions.h - what the files that tend partitions know of each other
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_MYSQL_PARTITIONS_H
#define STORE_MYSQL_PARTITIONS_H

#include "driver.h"
#include "partition_report.h"

enum { PARTITION_IDENTIFIER = 65 * 4 }; /* 64 characters of UTF-8 at most */

struct part {
    char name[PARTITION_IDENTIFIER];
    int64_t from, until; /* what it holds, as struct stretch */
};

/* Of a table, as one look found them. The partitions by RANGE of a table leave out no time, but one
 * after a gap holds the events of that, too. */
struct part_set {
    struct part *parts; /* in the order of their bounds */
    size_t count, capacity;
    struct stretch *taken; /* of each, without the gap before it */
    char expression[300];  /* seconds since 1970; "" as long as there is no partition */
    int64_t now;           /* the server's clock */
    bool failed;           /* memory ran out */
};

/* Looks at them; what was in `set` is gone. UNSUPPORTED, with the remedy, if the table is not
 * partitioned by the seconds when an event was made. */
enum outbox_status part_set_read(struct outbox_session *session, struct part_set *set,
                                 enum outbox_partition_period period,
                                 struct outbox_error *error) OUTBOX_MUST_USE;
void part_set_clear(struct part_set *set);

/* The one that holds an instant; `count` if none does. */
size_t part_find(const struct part_set *set, int64_t instant) OUTBOX_MUST_USE;

/* What a change came to. What is not DONE has changed nothing. */
enum part_outcome {
    PART_DONE,
    PART_BUSY,   /* the error says by what */
    PART_RACED,  /* it is not what it was when the set was read */
    PART_IN_USE, /* it holds `events` that are not finished */
    PART_FAILED  /* as `status` and the error say */
};

struct part_change {
    enum part_outcome outcome;
    enum outbox_status status;
    int64_t events;
};

/* As a change that others are in the way of. */
struct part_change part_busy(struct outbox_error *error);

/* Cuts new partitions, in order, out of the one at `index`; adds them behind the last one if that
 * is `count`. All or none. */
struct part_change part_cut(struct outbox_session *session, const struct part_set *set,
                            size_t index, const struct part *made, size_t count,
                            struct outbox_error *error);

/* Drops one, with the proof under the table's lock that it holds no event that is not finished. */
struct part_change part_drop(struct outbox_session *session, const struct part_set *set,
                             size_t index, struct outbox_error *error);

/* IN_USE if it holds unfinished events, of which at most PARTITION_EVENTS_MAX are counted. Locks
 * nothing, and may read all of it. */
struct part_change part_look(struct outbox_session *session, const struct part_set *set,
                             size_t index, struct outbox_error *error);

/* When the oldest event of a partition was made; INT64_MAX: it holds none. */
enum outbox_status part_oldest(struct outbox_session *session, const struct part_set *set,
                               size_t index, int64_t *oldest,
                               struct outbox_error *error) OUTBOX_MUST_USE;

/* The op. */
enum outbox_status partitions_tend(struct outbox_session *session,
                                   const struct outbox_partition_request *request,
                                   outbox_partition_change *emit, void *context,
                                   struct outbox_error *error);

#endif
