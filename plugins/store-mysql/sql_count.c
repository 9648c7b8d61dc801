/*
 * sql_count.c - the statements that count events
 * SPDX-License-Identifier: MIT
 */
#include "sql.h"

/* A count that stops one row beyond the cap. Only what is pending is counted without an index. */
static void add_count(struct builder *sql, enum state state, const char *comparison)
{
    if (state != STATE_PENDING && (!sql->state[state] || !sql->table->claim_index)) {
        ADD(sql, sql->state[state] ? "NULL" : "0");
        return;
    }
    ADD(sql, "(SELECT COUNT(*) FROM (SELECT 1 FROM %s AS t", sql->name);
    add_forced(sql);
    ADD(sql, " WHERE ");
    add_is(sql, state);
    if (comparison && has(sql, ROLE_AVAILABLE_AT))
        ADD(sql, " AND t.%s %s NOW(6)", sql->column[ROLE_AVAILABLE_AT], comparison);
    ADD(sql, " LIMIT %d) AS c)", STATS_CAP + 1);
}

/* In microseconds, of the one that a claim would take first. */
static void add_oldest_age(struct builder *sql)
{
    enum role since = has(sql, ROLE_AVAILABLE_AT) ? ROLE_AVAILABLE_AT : ROLE_CREATED_AT;
    if (!has(sql, since)) {
        ADD(sql, "NULL");
        return;
    }
    ADD(sql, "(SELECT TIMESTAMPDIFF(MICROSECOND, t.%s, NOW(6)) FROM %s AS t", sql->column[since],
        sql->name);
    add_forced(sql);
    ADD(sql, " WHERE ");
    add_due(sql);
    add_order(sql, 't');
    ADD(sql, " LIMIT 1)");
}

/* Due, scheduled, delivering, dead, microseconds since the oldest due one became so. */
void add_stats(struct builder *sql)
{
    ADD(sql, "SELECT ");
    add_count(sql, STATE_PENDING, "<=");
    ADD(sql, ", ");
    if (has(sql, ROLE_AVAILABLE_AT))
        add_count(sql, STATE_PENDING, ">");
    else
        ADD(sql, "0");
    ADD(sql, ", ");
    add_count(sql, STATE_DELIVERING, NULL);
    ADD(sql, ", ");
    add_count(sql, STATE_DEAD, NULL);
    ADD(sql, ", ");
    add_oldest_age(sql);
}

/* Delivered, dead, being delivered, pending. */
void add_small_stats(struct builder *sql)
{
    static const enum state counted[] = {STATE_DELIVERED, STATE_DEAD, STATE_DELIVERING,
                                         STATE_PENDING};
    for (int i = 0; i < 4; i++) {
        ADD(sql, "%s COUNT(CASE WHEN ", i == 0 ? "SELECT" : ",");
        add_is(sql, counted[i]);
        ADD(sql, " THEN 1 END)");
    }
    ADD(sql, " FROM %s AS t", sql->name);
}

/* How many are pending, as the server reckons: the plan of a count. */
void add_estimate(struct builder *sql)
{
    ADD(sql, "EXPLAIN FORMAT = TRADITIONAL SELECT 1 FROM %s AS t", sql->name);
    add_forced(sql);
    ADD(sql, " WHERE ");
    add_is(sql, STATE_PENDING);
}

/* Of each token, those held longest first: itself, its events, microseconds since the oldest lease.
 */
void add_holders(struct builder *sql)
{
    ADD(sql,
        "SELECT token, COUNT(*), TIMESTAMPDIFF(MICROSECOND, MIN(since), NOW(6))"
        " FROM (SELECT LEFT(t.%s, %d) AS token, t.%s AS since FROM %s AS t",
        sql->column[ROLE_LOCKED_BY], OUTBOX_HOLDER_TOKEN_MAX, sql->column[ROLE_LOCKED_AT],
        sql->name);
    add_forced(sql);
    ADD(sql, " WHERE ");
    add_is(sql, STATE_DELIVERING);
    ADD(sql, " LIMIT %d) AS held GROUP BY token ORDER BY MIN(since) LIMIT %d", HOLDERS_CAP + 1,
        OUTBOX_HOLDERS_MAX + 1);
}
