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
    const char *name;          /* of the table */
    const char *const *column; /* quoted, by role */
    const char *const *state;  /* as literals */
    size_t count;              /* of keys or rows */
    bool lease;
};

#define ADD(builder, ...) buffer_text(&(builder)->out, __VA_ARGS__)

static inline bool has(const struct builder *sql, enum role role)
{
    return table_has(sql->table, role);
}

/* FORCE INDEX, if there is one that fits. */
void add_forced(struct builder *sql);

/* AND, from a position on or before it; parameters as push_from() and push_before() give them. */
void add_bound(struct builder *sql, bool before);
void add_order(struct builder *sql);

/* SELECT, and the columns that found_read() wants, all but the last. */
void add_place(struct builder *sql);

/* WHERE the key is one of a list. */
void add_keys(struct builder *sql);

/* In sql_prune.c. */
void add_old_delivered(struct builder *sql);
void add_old_dead(struct builder *sql);
void add_lock_delivered(struct builder *sql);
void add_lock_dead(struct builder *sql);
void add_delete(struct builder *sql);
void add_count_old(struct builder *sql);

#endif
