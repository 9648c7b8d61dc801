/*
 * sql_prune.c - the statements that find and delete finished events
 * SPDX-License-Identifier: MIT
 */
#include "sql.h"

static const char *finished_at(const struct builder *sql, enum state state)
{
    return sql->column[prune_since(sql->table, state)];
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
    add_order(sql, 't');
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
    ADD(sql, ", 1 FROM ");
    add_by_key(sql);
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
    add_deletion(sql);
}

/* The age of what is delivered twice, then that of what is dead; negative: none is old. */
void add_count_old(struct builder *sql)
{
    for (enum state state = STATE_DELIVERED; state <= STATE_DEAD; state++) {
        ADD(sql, "%s COUNT(CASE WHEN ? >= 0 AND ", state == STATE_DELIVERED ? "SELECT" : ",");
        add_is(sql, state);
        ADD(sql, " AND ");
        if (prune_since(sql->table, state) == ROLE_NONE)
            ADD(sql, "? IS NULL");
        else
            add_is_older(sql, finished_at(sql, state));
        ADD(sql, " THEN 1 END)");
    }
    ADD(sql, " FROM %s AS t", sql->name);
}
