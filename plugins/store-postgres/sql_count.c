/*
 * sql_count.c - counting events, and deleting old finished ones
 * SPDX-License-Identifier: MIT
 */
#include "sql.h"

/* A count that stops one row beyond the cap. */
static void add_count(struct builder *sql, enum state state, const char *condition)
{
    ADD(sql, "(SELECT count(*) FROM (SELECT FROM %s WHERE ", sql->name);
    sql_is(sql, state);
    ADD(sql, "%s LIMIT %d) s)", condition, STATS_CAP + 1);
}

/* Those that are due, and those that are not yet. */
static void add_pending_counts(struct builder *sql)
{
    const char *available = sql->column[ROLE_AVAILABLE_AT];
    char due[176] = "", later[176] = " AND false";
    if (sql->table->has[ROLE_AVAILABLE_AT]) {
        (void)snprintf(due, sizeof(due), " AND %s <= statement_timestamp()", available);
        (void)snprintf(later, sizeof(later), " AND %s > statement_timestamp()", available);
    }
    add_count(sql, STATE_PENDING, due);
    ADD(sql, ", ");
    add_count(sql, STATE_PENDING, later);
}

#define AGE "(extract(epoch FROM statement_timestamp() - %s) * 1000000)::bigint"

/* Of the oldest event, in microseconds. An index gives it at once where events are taken by
 * available_at; else as many are looked at as are counted. */
static void add_oldest_age(struct builder *sql)
{
    const char *available = sql->column[ROLE_AVAILABLE_AT], *created = sql->column[ROLE_CREATED_AT];

    if (sql->table->has[ROLE_AVAILABLE_AT]) {
        ADD(sql, "(SELECT ");
        ADD(sql, AGE, available);
        ADD(sql, " FROM %s WHERE ", sql->name);
        sql_due(sql);
        ADD(sql, " ORDER BY %s LIMIT 1)", available);
    } else if (sql->table->has[ROLE_CREATED_AT]) {
        ADD(sql, "(SELECT ");
        ADD(sql, AGE, "min(since)");
        ADD(sql, " FROM (SELECT %s AS since FROM %s WHERE ", created, sql->name);
        sql_due(sql);
        ADD(sql, " LIMIT %d) s)", STATS_CAP + 1);
    } else {
        ADD(sql, "NULL::bigint");
    }
}

/* $1 the table's oid, $2 the claim index's. Times in microseconds; counts; the table's size in
 * bytes; the rows that the planner reckons with, scaled by how the table grew since. */
void sql_stats(struct builder *sql)
{
    ADD(sql, "SELECT ");
    add_pending_counts(sql);
    ADD(sql, ", ");
    if (sql->table->has[ROLE_LOCKED_AT])
        add_count(sql, STATE_DELIVERING, "");
    else
        ADD(sql, "0::bigint");
    ADD(sql, ", ");
    if (sql->table->dead_index)
        add_count(sql, STATE_DEAD, "");
    else
        ADD(sql, "NULL::bigint");
    ADD(sql, ", ");
    add_oldest_age(sql);
    ADD(sql, ", size, CASE WHEN pages > 0 THEN (rows * size / 8192 / pages)::bigint END,"
             " (SELECT reltuples::bigint FROM pg_catalog.pg_class WHERE oid = $2::oid)"
             " FROM (SELECT sum(pg_catalog.pg_relation_size(c.oid))::bigint AS size,"
             " sum(greatest(c.reltuples, 0))::float8 AS rows,"
             " sum(CASE WHEN c.reltuples < 0 THEN 0 ELSE c.relpages END)::float8 AS pages"
             " FROM pg_catalog.pg_class c JOIN (SELECT $1::oid AS relid UNION"
             " SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass)) p"
             " ON p.relid = c.oid WHERE c.relkind = 'r') whole");
}

void sql_small_stats(struct builder *sql)
{
    ADD(sql, "SELECT count(*) FILTER (WHERE ");
    sql_is(sql, STATE_DELIVERED);
    ADD(sql, "), count(*) FILTER (WHERE ");
    sql_is(sql, STATE_DEAD);
    ADD(sql, ") FROM %s", sql->name);
}

/* Of each token, those held longest first: itself, its events, microseconds since the oldest lease,
 * which is no length of time where that is infinite. */
void sql_holders(struct builder *sql)
{
    const char *locked_at = sql->column[ROLE_LOCKED_AT];
    ADD(sql, "SELECT token, count(*), CASE WHEN isfinite(min(since)) THEN ");
    ADD(sql, AGE, "min(since)");
    ADD(sql, " END FROM (SELECT left(%s, %d) AS token, %s AS since FROM %s WHERE ",
        sql->column[ROLE_LOCKED_BY], OUTBOX_HOLDER_TOKEN_MAX, locked_at, sql->name);
    sql_is(sql, STATE_DELIVERING);
    ADD(sql, " ORDER BY %s LIMIT %d) held GROUP BY token ORDER BY min(since) LIMIT %d", locked_at,
        HOLDERS_CAP + 1, OUTBOX_HOLDERS_MAX + 1);
}

/* ---- Pruning ------------------------------------------------------------------------------ */

/* $1 and $2 the ages of what is delivered and dead, in microseconds; negative: none is old. */
static void add_old(struct builder *sql, enum state state, int age, const enum role *since)
{
    while (*since != ROLE_COUNT && !sql->table->has[*since])
        since++;
    if (*since == ROLE_COUNT) {
        ADD(sql, "$%d::bigint < 0 AND false", age); /* there is no telling how old it is */
        return;
    }
    ADD(sql, "(");
    sql_is(sql, state);
    ADD(sql,
        " AND $%d::bigint >= 0"
        " AND t.%s < statement_timestamp() - $%d::bigint * interval '1 microsecond')",
        age, sql->column[*since], age);
}

static void add_old_delivered(struct builder *sql)
{
    static const enum role since[] = {ROLE_DELIVERED_AT, ROLE_UPDATED_AT, ROLE_CREATED_AT,
                                      ROLE_COUNT};
    add_old(sql, STATE_DELIVERED, 1, since);
}

static void add_old_dead(struct builder *sql)
{
    static const enum role since[] = {ROLE_UPDATED_AT, ROLE_CREATED_AT, ROLE_COUNT};
    add_old(sql, STATE_DEAD, 2, since);
}

void sql_count_old(struct builder *sql)
{
    ADD(sql, "SELECT count(*) FILTER (WHERE ");
    add_old_delivered(sql);
    ADD(sql, "), count(*) FILTER (WHERE ");
    add_old_dead(sql);
    ADD(sql, ") FROM %s t", sql->name);
}

/* $3 how many at most; where rows are found by tid, blocks $4 to $5 of table $6. One row: how many
 * were deleted of each state, how many were found, the block of the last one, the table's blocks.
 */
void sql_prune(struct builder *sql)
{
    const char *id = sql->column[ROLE_EVENT_ID];
    const char *created = sql->table->has[ROLE_CREATED_AT] ? sql->column[ROLE_CREATED_AT] : id;
    bool by_tid = sql->table->by_tid;
    if (by_tid)
        ADD(sql, "WITH old AS MATERIALIZED (SELECT t.ctid AS id");
    else
        ADD(sql, "WITH old AS MATERIALIZED (SELECT t.%s AS id, t.%s AS created", id, created);
    ADD(sql, " FROM %s t WHERE ", sql->name);
    if (by_tid)
        ADD(sql, "t.ctid >= ('(' || $4::bigint || ',0)')::tid"
                 " AND t.ctid < ('(' || $5::bigint || ',0)')::tid AND ");
    ADD(sql, "(");
    add_old_delivered(sql);
    ADD(sql, " OR ");
    add_old_dead(sql);
    ADD(sql, ") LIMIT $3::bigint FOR UPDATE SKIP LOCKED), gone AS (DELETE FROM %s t", sql->name);
    if (by_tid)
        ADD(sql, " WHERE t.ctid = ANY (ARRAY(SELECT id FROM old))");
    else
        ADD(sql, " USING old WHERE t.%s = old.id AND t.%s = old.created", id, created);
    ADD(sql, " RETURNING (");
    sql_is(sql, STATE_DELIVERED);
    ADD(sql, ") AS is_delivered) SELECT count(*) FILTER (WHERE is_delivered),"
             " count(*) FILTER (WHERE NOT is_delivered), (SELECT count(*) FROM old)");
    if (by_tid)
        ADD(sql, ", (SELECT (max(id)::text::point)[0]::bigint FROM old),"
                 " pg_catalog.pg_relation_size($6::oid)"
                 " / pg_catalog.current_setting('block_size')::bigint");
    ADD(sql, " FROM gone");
}
