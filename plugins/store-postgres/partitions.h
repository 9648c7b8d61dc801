/*
 * partitions.h - what the files that tend partitions know of each other
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_POSTGRES_PARTITIONS_H
#define STORE_POSTGRES_PARTITIONS_H

#include "driver.h"
#include "partition_report.h"

/* Of a table, as one look found them. */
struct partition_set {
    PGresult *list;            /* a row each, in the order of their bounds, the DEFAULT one last */
    struct stretch *stretch;   /* of each but the DEFAULT one */
    size_t count;              /* of these */
    const char *default_table; /* quoted; NULL: there is none */
    const char *default_name;
    char *schema;    /* of the table, quoted */
    char *key;       /* the column that it is partitioned by, quoted */
    bool by_seconds; /* the key is seconds since 1970, not an instant */
    int64_t now;     /* the server's clock */
};

/* Looks at them; what was in `set` is gone. UNSUPPORTED, with the remedy, if the table is not
 * partitioned by the time when an event was made. */
enum outbox_status partition_set_read(struct outbox_session *session, struct partition_set *set,
                                      struct outbox_error *error) OUTBOX_MUST_USE;
void partition_set_clear(struct partition_set *set);

/* Of partition `index`: its name, the same with its schema and quoted, its oid as text, its bytes.
 */
const char *partition_name(const struct partition_set *set, size_t index);
const char *partition_table(const struct partition_set *set, size_t index);
const char *partition_oid(const struct partition_set *set, size_t index);
int64_t partition_bytes(const struct partition_set *set, size_t index);

/* What a change came to. What is not DONE has changed nothing. */
enum partition_outcome {
    PARTITION_DONE,
    PARTITION_BUSY,   /* the error says by what */
    PARTITION_RACED,  /* it is not what it was when the set was read */
    PARTITION_IN_USE, /* it cannot be changed as it is, the error says why */
    PARTITION_FAILED  /* as `status` and the error say */
};

struct partition_change {
    enum partition_outcome outcome;
    enum outbox_status status;
    int64_t events; /* IN_USE: so many keep it; 0: something else does */
};

/* Creates a partition of that name, whole and attached. */
struct partition_change partition_create(struct outbox_session *session,
                                         const struct partition_set *set, struct stretch stretch,
                                         const char *name, struct outbox_error *error);

/* Drops one, with the proof under its lock that it holds no event that is not finished. */
struct partition_change partition_drop(struct outbox_session *session,
                                       const struct partition_set *set, size_t index,
                                       struct outbox_error *error);

/* IN_USE if it holds unfinished events, of which at most PARTITION_EVENTS_MAX are counted. Locks
 * nothing, and may read all of it. */
struct partition_change partition_look(struct outbox_session *session,
                                       const struct partition_set *set, size_t index,
                                       struct outbox_error *error);

/* IN_USE if the DEFAULT partition holds events of that time, finished or not. */
struct partition_change partition_look_into_default(struct outbox_session *session,
                                                    const struct partition_set *set,
                                                    struct stretch stretch,
                                                    struct outbox_error *error);

/* The op. */
enum outbox_status partitions_tend(struct outbox_session *session,
                                   const struct outbox_partition_request *request,
                                   outbox_partition_change *emit, void *context,
                                   struct outbox_error *error);

/* What `init` does once the table is there: a line for each partition. */
enum outbox_status partitions_begin(struct outbox_session *session, outbox_schema_line *emit,
                                    void *context, struct outbox_error *error) OUTBOX_MUST_USE;

#endif
