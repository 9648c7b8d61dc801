/*
 * sql_prune.c - the statements that find and delete finished events
 * SPDX-License-Identifier: MIT
 */
#include "sql.h"

/* When an event in that final state was finished. */
static const char *finished_at(const struct builder *sql, enum state state)
{
    if (state == STATE_DELIVERED && has(sql, ROLE_DELIVERED_AT))
        return sql->column[ROLE_DELIVERED_AT];
    return sql->column[has(sql, ROLE_UPDATED_AT) ? ROLE_UPDATED_AT : ROLE_CREATED_AT];
}

/* Age in microseconds. */
static void add_is_older(struct builder *sql, const char *instant)
{
    ADD(sql, "t.%s < NOW(6) - INTERVAL ? MICROSECOND", instant);
}

/* Age, the bound, the age again if there is available_at, how many. */
static void add_old(struct builder *sql, enum state state)
{
    add_place(sql);
    ADD(sql, ", COALESCE(");
    add_is_older(sql, finished_at(sql, state));
    ADD(sql, ", 0) FROM %s AS t", sql->name);
    add_forced(sql);
    ADD(sql, " WHERE t.%s = %s", sql->column[ROLE_STATUS], sql->state[state]);
    add_bound(sql, false);
    if (has(sql, ROLE_AVAILABLE_AT)) {
        ADD(sql, " AND ");
        add_is_older(sql, sql->column[ROLE_AVAILABLE_AT]);
    }
    add_order(sql);
    ADD(sql, " LIMIT ?");
}

void add_old_delivered(struct builder *sql)
{
    add_old(sql, STATE_DELIVERED);
}

void add_old_dead(struct builder *sql)
{
    add_old(sql, STATE_DEAD);
}

/* Keys, age. */
static void add_lock_old(struct builder *sql, enum state state)
{
    add_place(sql);
    ADD(sql, ", 1 FROM %s AS t", sql->name);
    add_keys(sql);
    ADD(sql, " AND t.%s = %s AND ", sql->column[ROLE_STATUS], sql->state[state]);
    add_is_older(sql, finished_at(sql, state));
    ADD(sql, " FOR UPDATE SKIP LOCKED");
}

void add_lock_delivered(struct builder *sql)
{
    add_lock_old(sql, STATE_DELIVERED);
}

void add_lock_dead(struct builder *sql)
{
    add_lock_old(sql, STATE_DEAD);
}

void add_delete(struct builder *sql)
{
    ADD(sql, "DELETE t FROM %s AS t", sql->name);
    add_keys(sql);
}

/* The age of what is delivered twice, then that of what is dead; negative: none is old. */
void add_count_old(struct builder *sql)
{
    for (int state = STATE_DELIVERED; state <= STATE_DEAD; state++) {
        ADD(sql, "%s COUNT(CASE WHEN ? >= 0 AND t.%s = %s AND ",
            state == STATE_DELIVERED ? "SELECT" : ",", sql->column[ROLE_STATUS], sql->state[state]);
        add_is_older(sql, finished_at(sql, (enum state)state));
        ADD(sql, " THEN 1 END)");
    }
    ADD(sql, " FROM %s AS t", sql->name);
}
