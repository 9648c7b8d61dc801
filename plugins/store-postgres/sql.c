/*
 * sql.c - the statements, built for the table that was found
 * SPDX-License-Identifier: MIT
 *
 * Two things are said in an unusual way, both for the planner's sake. Where a row is looked up by
 * its id, the status is compared under COLLATE "C": a plain comparison would allow the small
 * partial index on leases, which looks cheap to a plan made once and for ever, and is then walked
 * from end to end. And "now" is statement_timestamp() throughout: now() stands still within a
 * transaction, and several statements of ours share one. */
#include "sql.h"

void sql_state(struct builder *sql, enum state state)
{
    states_literal(&sql->store->states, state, sql->table->state_kind, &sql->out);
    ADD(sql, "%s", sql->table->state_cast);
}

void sql_is(struct builder *sql, enum state state)
{
    if (!sql->table->has[ROLE_STATUS] || !states_have(&sql->store->states, state)) {
        bool always = state == STATE_PENDING;
        ADD(sql, always ? "true" : "false");
        return;
    }
    ADD(sql, "%s = ", sql->column[ROLE_STATUS]);
    sql_state(sql, state);
}

void sql_due(struct builder *sql)
{
    sql_is(sql, STATE_PENDING);
    if (sql->table->has[ROLE_AVAILABLE_AT])
        ADD(sql, " AND %s <= statement_timestamp()", sql->column[ROLE_AVAILABLE_AT]);
}

void sql_touched(struct builder *sql)
{
    if (sql->table->has[ROLE_UPDATED_AT])
        ADD(sql, ", %s = statement_timestamp()", sql->column[ROLE_UPDATED_AT]);
}

void sql_unlocked(struct builder *sql)
{
    if (sql->table->has[ROLE_LOCKED_BY])
        ADD(sql, ", %s = NULL", sql->column[ROLE_LOCKED_BY]);
    if (sql->table->has[ROLE_LOCKED_AT])
        ADD(sql, ", %s = NULL", sql->column[ROLE_LOCKED_AT]);
}

void sql_ids(struct builder *sql, int place)
{
    Oid type = sql->table->type[ROLE_EVENT_ID];
    if (type == TYPE_UUID || type == TYPE_BYTEA)
        ADD(sql, "$%d::%s[]", place, type == TYPE_UUID ? "uuid" : "bytea");
    else
        ADD(sql, "$%d::text[]::%s[]", place, sql->table->id_type);
}

static void async_commit(struct builder *sql)
{
    ADD(sql, "SELECT set_config('synchronous_commit', 'off', true)");
}

char *sql_text(enum statement statement, const struct outbox_store *store,
               const struct table *table)
{
    static sql_builder *const builders[STATEMENT_COUNT] = {
        [STATEMENT_ASYNC_COMMIT] = async_commit,
        [STATEMENT_CLAIM] = sql_claim,
        [STATEMENT_LOOK] = sql_look,
        [STATEMENT_DELIVERED] = sql_delivered,
        [STATEMENT_MIXED] = sql_mixed,
        [STATEMENT_DELIVERED_WHOLE] = sql_delivered_whole,
        [STATEMENT_RENEW] = sql_renew,
        [STATEMENT_OLDEST_LEASE] = sql_oldest_lease,
        [STATEMENT_REAP] = sql_reap,
        [STATEMENT_ENQUEUE] = sql_enqueue,
        [STATEMENT_STATS] = sql_stats,
        [STATEMENT_SMALL_STATS] = sql_small_stats,
        [STATEMENT_HOLDERS] = sql_holders,
        [STATEMENT_PRUNE] = sql_prune,
        [STATEMENT_COUNT_OLD] = sql_count_old,
    };
    struct builder sql = {.store = store,
                          .table = table,
                          .name = store->names.table,
                          .column = (const char *const *)store->names.quoted,
                          .lease = store->settings.mode == OUTBOX_MODE_LEASE};
    builders[statement](&sql);
    return buffer_take(&sql.out);
}
