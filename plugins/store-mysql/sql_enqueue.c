/*
 * sql_enqueue.c - the statement that inserts events
 * SPDX-License-Identifier: MIT
 */
#include "sql.h"

/* What an INSERT gives beside id, type and payload, where there is such a column, in this order. */
static const struct {
    enum role role;
    const char *value; /* NULL: the state of a pending event */
} given[] = {
    {ROLE_STATUS, NULL},
    {ROLE_ATTEMPTS, "0"},
    {ROLE_HEADERS, "COALESCE(?, '{}')"},
    {ROLE_AVAILABLE_AT, "COALESCE(FROM_UNIXTIME(CAST(? AS SIGNED) * 0.000001), NOW(6))"},
    {ROLE_PARTITION_KEY, "?"},
    {ROLE_ORDERING_KEY, "?"},
    {ROLE_AGGREGATE_TYPE, "?"},
    {ROLE_AGGREGATE_ID, "?"},
    {ROLE_CREATED_TS, "COALESCE(?, UNIX_TIMESTAMP())"},
    {ROLE_CREATED_AT, "NOW(6)"},
    {ROLE_UPDATED_AT, "NOW(6)"},
};
enum { GIVEN = sizeof(given) / sizeof(given[0]) };

/* Of each row: id, type, payload, then those there are of headers, available_at, partition_key,
 * ordering_key, aggregate_type, aggregate_id, created_ts. */
void add_enqueue(struct builder *sql)
{
    ADD(sql, "INSERT INTO %s (%s, %s, %s", sql->name, sql->column[ROLE_EVENT_ID],
        sql->column[ROLE_EVENT_TYPE], sql->column[ROLE_PAYLOAD]);
    for (int i = 0; i < GIVEN; i++)
        if (table_takes(sql->table, given[i].role))
            ADD(sql, ", %s", sql->column[given[i].role]);
    ADD(sql, ") VALUES ");
    for (size_t row = 0; row < sql->count; row++) {
        ADD(sql, "%s(?, ?, ?", row > 0 ? ", " : "");
        for (int i = 0; i < GIVEN; i++)
            if (table_takes(sql->table, given[i].role))
                ADD(sql, ", %s", given[i].value ? given[i].value : sql->state[STATE_PENDING]);
        ADD(sql, ")");
    }
}
