/*
 * sql.h - what the files that write statements share
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_MYSQL_SQL_H
#define STORE_MYSQL_SQL_H

#include "driver.h"

struct builder {
    struct buffer out;
    const struct outbox_store *store;
    const struct table *table;
    const char *name;               /* of the table */
    const char *const *column;      /* quoted, by role */
    const char *state[STATE_COUNT]; /* as literals; NULL: the table has no such state */
    size_t count;                   /* of keys or rows */
    bool lease;
};

#define ADD(builder, ...) buffer_text(&(builder)->out, __VA_ARGS__)

static inline bool has(const struct builder *sql, enum role role)
{
    return table_has(sql->table, role);
}

/* That a row is in a state; a table without a status column holds pending events only. */
void add_is(struct builder *sql, enum state state);

/* That it is pending and due. */
void add_due(struct builder *sql);

/* ", COLUMN = now" and the like, where there are such columns. */
void add_touched(struct builder *sql);

/* FORCE INDEX, if there is one that fits. */
void add_forced(struct builder *sql);

/* AND, from a position on or before it; parameters as push_from() and push_before() give them. */
void add_bound(struct builder *sql, bool before);

/* Of the table, which is `t`, or of the candidates, which are `c`. */
void add_order(struct builder *sql, char alias);

/* The table, and FORCE INDEX of the key, if there is one. */
void add_by_key(struct builder *sql);

/* SELECT, and the columns that found_read() wants, all but the last. */
void add_place(struct builder *sql);

/* All of them, FROM the table by its claim index. */
void add_found(struct builder *sql);

/* WHERE the key is one of a list; parameters as keys_push() gives them. */
void add_keys(struct builder *sql);

/* DELETE WHERE the key is one of a list; parameters as keys_push_deletion() gives them. */
void add_deletion(struct builder *sql);

/* One for each statement, in the file of its subject. */
typedef void sql_builder(struct builder *sql);
sql_builder add_claim, add_claim_first, add_look, add_look_free;
sql_builder add_lease, add_delivered, add_mixed, add_leases_of, add_renew, add_oldest_lease,
    add_expired, add_reap_dead, add_reap_returned;
sql_builder add_enqueue;
sql_builder add_stats, add_small_stats, add_estimate, add_holders;
sql_builder add_old_delivered, add_old_dead, add_lock_delivered, add_lock_dead, add_delete,
    add_count_old;

#endif
