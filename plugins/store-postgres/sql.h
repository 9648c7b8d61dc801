/*
 * sql.h - what the files that build statements share
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_POSTGRES_SQL_H
#define STORE_POSTGRES_SQL_H

#include "driver.h"

struct builder {
    struct buffer out;
    const struct outbox_store *store;
    const struct table *table;
    const char *name;          /* of the table */
    const char *const *column; /* quoted, by role */
    bool lease;
};

#define ADD(builder, ...) buffer_text(&(builder)->out, __VA_ARGS__)

/* One for each statement, in the file of its subject. */
typedef void sql_builder(struct builder *sql);
sql_builder sql_claim, sql_look;
sql_builder sql_delivered, sql_delivered_whole, sql_mixed, sql_renew, sql_oldest_lease, sql_reap;
sql_builder sql_enqueue;
sql_builder sql_stats, sql_small_stats, sql_holders, sql_prune, sql_count_old;

/* ---- Pieces ------------------------------------------------------------------------------- */

/* A state as a literal of the status column's type. */
void sql_state(struct builder *sql, enum state state);

/* That a row is in a state; a table without a status column holds pending events only. */
void sql_is(struct builder *sql, enum state state);

/* The pending events that are due, as a condition; the scan's bounds are the caller's. */
void sql_due(struct builder *sql);

/* ", COLUMN = now" and the like, where there are such columns. */
void sql_touched(struct builder *sql);
void sql_unlocked(struct builder *sql);

/* Parameter `place`, an array of ids. */
void sql_ids(struct builder *sql, int place);

#endif
