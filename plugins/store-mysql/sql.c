/*
 * sql.c - the statements, built for the table that was found
 * SPDX-License-Identifier: MIT
 *
 * Parameters are known by their place alone, so each comment gives their order. NOW(6) is the same
 * throughout a statement, and new in the next.
 */
#include "sql.h"

#include <stdlib.h>

/* ---- The order of claims ------------------------------------------------------------------ */

void add_forced(struct builder *sql)
{
    if (sql->table->claim_index)
        ADD(sql, " FORCE INDEX (%s)", sql->table->claim_index);
}

void add_is(struct builder *sql, enum state state)
{
    if (sql->state[state])
        ADD(sql, "t.%s = %s", sql->column[ROLE_STATUS], sql->state[state]);
    else
        ADD(sql, state == STATE_PENDING ? "TRUE" : "FALSE");
}

void add_due(struct builder *sql)
{
    add_is(sql, STATE_PENDING);
    if (has(sql, ROLE_AVAILABLE_AT))
        ADD(sql, " AND t.%s <= NOW(6)", sql->column[ROLE_AVAILABLE_AT]);
}

/* Said so that both makes of the server scan one stretch of the index; a comparison of rows they
 * would not. */
void add_bound(struct builder *sql, bool before)
{
    const char *at = sql->column[ROLE_AVAILABLE_AT];
    const char *tie = sql->table->tie == ROLE_NONE ? NULL : sql->column[sql->table->tie];
    const char *beyond = before ? "<" : ">", *up_to = before ? "<" : ">=";
    if (!table_has_places(sql->table))
        return;
    if (!has(sql, ROLE_AVAILABLE_AT))
        ADD(sql, " AND t.%s %s ?", tie, up_to);
    else if (tie)
        ADD(sql, " AND ((t.%s = ? AND t.%s %s ?) OR t.%s %s ?)", at, tie, up_to, at, beyond);
    else
        ADD(sql, " AND t.%s %s ?", at, up_to);
}

void add_order(struct builder *sql, char alias)
{
    bool by_time = has(sql, ROLE_AVAILABLE_AT), by_tie = sql->table->tie != ROLE_NONE;
    ADD(sql, " ORDER BY ");
    if (by_time)
        ADD(sql, "%c.%s", alias, sql->column[ROLE_AVAILABLE_AT]);
    if (by_tie)
        ADD(sql, "%s%c.%s", by_time ? ", " : "", alias, sql->column[sql->table->tie]);
}

void add_by_key(struct builder *sql)
{
    ADD(sql, "%s AS t", sql->name);
    if (sql->table->key_index)
        ADD(sql, " FORCE INDEX (%s)", sql->table->key_index);
}

void add_place(struct builder *sql)
{
    ADD(sql, "SELECT t.%s", sql->column[sql->table->key]);
    if (has(sql, ROLE_AVAILABLE_AT))
        ADD(sql, ", t.%s", sql->column[ROLE_AVAILABLE_AT]);
    else
        ADD(sql, ", NULL");
    if (sql->table->tie != ROLE_NONE)
        ADD(sql, ", t.%s", sql->column[sql->table->tie]);
    else
        ADD(sql, ", NULL");
    if (has(sql, ROLE_CREATED_TS))
        ADD(sql, ", t.%s", sql->column[ROLE_CREATED_TS]);
    else
        ADD(sql, ", NULL");
}

void add_found(struct builder *sql)
{
    add_place(sql);
    if (has(sql, ROLE_ATTEMPTS))
        ADD(sql, ", t.%s", sql->column[ROLE_ATTEMPTS]);
    else
        ADD(sql, ", NULL");
    ADD(sql, " FROM %s AS t", sql->name);
    add_forced(sql);
}

/* One stretch of time for all keys of a list: both makes of the server leave out the partitions
 * beyond it, which they would not for a list of pairs. */
void add_keys(struct builder *sql)
{
    ADD(sql, " WHERE t.%s IN (?", sql->column[sql->table->key]);
    for (size_t i = 1; i < sql->count; i++)
        ADD(sql, ",?");
    ADD(sql, ")");
    if (table_has_span(sql->table))
        ADD(sql, " AND t.%s BETWEEN ? AND ?", sql->column[ROLE_CREATED_TS]);
}

void add_touched(struct builder *sql)
{
    if (has(sql, ROLE_UPDATED_AT))
        ADD(sql, ", t.%s = NOW(6)", sql->column[ROLE_UPDATED_AT]);
}

/* ---- All of them -------------------------------------------------------------------------- */

char *sql_text(enum statement statement, size_t count, const struct outbox_store *store,
               const struct table *table)
{
    static sql_builder *const builders[STATEMENT_COUNT] = {
        [STATEMENT_CLAIM] = add_claim,
        [STATEMENT_CLAIM_FIRST] = add_claim_first,
        [STATEMENT_LOOK] = add_look,
        [STATEMENT_LOOK_FREE] = add_look_free,
        [STATEMENT_LEASE] = add_lease,
        [STATEMENT_DELIVERED] = add_delivered,
        [STATEMENT_MIXED] = add_mixed,
        [STATEMENT_LEASES_OF] = add_leases_of,
        [STATEMENT_RENEW] = add_renew,
        [STATEMENT_OLDEST_LEASE] = add_oldest_lease,
        [STATEMENT_EXPIRED] = add_expired,
        [STATEMENT_REAP_DEAD] = add_reap_dead,
        [STATEMENT_REAP_RETURNED] = add_reap_returned,
        [STATEMENT_ENQUEUE] = add_enqueue,
        [STATEMENT_STATS] = add_stats,
        [STATEMENT_SMALL_STATS] = add_small_stats,
        [STATEMENT_ESTIMATE] = add_estimate,
        [STATEMENT_HOLDERS] = add_holders,
        [STATEMENT_OLD_DELIVERED] = add_old_delivered,
        [STATEMENT_OLD_DEAD] = add_old_dead,
        [STATEMENT_LOCK_DELIVERED] = add_lock_delivered,
        [STATEMENT_LOCK_DEAD] = add_lock_dead,
        [STATEMENT_DELETE] = add_delete,
        [STATEMENT_COUNT_OLD] = add_count_old,
    };
    struct builder sql = {.store = store,
                          .table = table,
                          .name = store->names.table,
                          .column = (const char *const *)store->names.quoted,
                          .count = count,
                          .lease = is_lease(store)};
    for (int state = 0; state < STATE_COUNT; state++)
        sql.state[state] = table->state[state][0] ? table->state[state] : NULL;
    builders[statement](&sql);
    return buffer_take(&sql.out);
}
