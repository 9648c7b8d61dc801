/*
 * sql_enqueue.c - inserting events
 * SPDX-License-Identifier: MIT
 */
#include "sql.h"

static const enum role optional_texts[] = {ROLE_PARTITION_KEY, ROLE_ORDERING_KEY,
                                           ROLE_AGGREGATE_TYPE, ROLE_AGGREGATE_ID};
enum { OPTIONAL_TEXTS = sizeof(optional_texts) / sizeof(optional_texts[0]) };

/* What text has to be cast to for a column of that type, which text does not become by itself. */
static const char *json_type(Oid type)
{
    return type == TYPE_JSONB ? "::jsonb" : type == TYPE_JSON ? "::json" : "";
}

static bool sets_created_ts(const struct table *table)
{
    return table->has[ROLE_CREATED_TS] && !table->makes_created_ts;
}

static void add_column(struct builder *sql, enum role role)
{
    if (sql->table->has[role])
        ADD(sql, ", %s", sql->column[role]);
}

static void add_columns(struct builder *sql)
{
    ADD(sql, "INSERT INTO %s (%s, %s, %s", sql->name, sql->column[ROLE_EVENT_ID],
        sql->column[ROLE_EVENT_TYPE], sql->column[ROLE_PAYLOAD]);
    add_column(sql, ROLE_STATUS);
    add_column(sql, ROLE_ATTEMPTS);
    add_column(sql, ROLE_AVAILABLE_AT);
    add_column(sql, ROLE_CREATED_AT);
    add_column(sql, ROLE_HEADERS);
    add_column(sql, ROLE_UPDATED_AT);
    if (sets_created_ts(sql->table))
        add_column(sql, ROLE_CREATED_TS);
    for (int i = 0; i < OPTIONAL_TEXTS; i++)
        add_column(sql, optional_texts[i]);
}

static void add_values(struct builder *sql)
{
    static const char now[] = "statement_timestamp()";
    const struct table *table = sql->table;
    ADD(sql, ") SELECT id, type, payload%s", json_type(table->type[ROLE_PAYLOAD]));
    if (table->has[ROLE_STATUS]) {
        ADD(sql, ", ");
        sql_state(sql, STATE_PENDING);
    }
    if (table->has[ROLE_ATTEMPTS])
        ADD(sql, ", 0");
    if (table->has[ROLE_AVAILABLE_AT])
        ADD(sql, ", coalesce(available, %s)", now);
    if (table->has[ROLE_CREATED_AT])
        ADD(sql, ", %s", now);
    if (table->has[ROLE_HEADERS])
        ADD(sql, ", coalesce(headers, '{}')%s", json_type(table->type[ROLE_HEADERS]));
    if (table->has[ROLE_UPDATED_AT])
        ADD(sql, ", %s", now);
    if (sets_created_ts(table))
        ADD(sql, ", created_ts");
    for (int i = 0; i < OPTIONAL_TEXTS; i++)
        if (table->has[optional_texts[i]])
            ADD(sql, ", text%d", i);
}

/* $1 ids, $2 types, $3 payloads, $4 headers, $5 available_at, $6 to $9 the optional texts, $10
 * created_ts. */
void sql_enqueue(struct builder *sql)
{
    bool bytes = sql->table->type[ROLE_PAYLOAD] == TYPE_BYTEA;
    add_columns(sql);
    add_values(sql);
    ADD(sql, " FROM unnest(");
    sql_ids(sql, 1);
    ADD(sql,
        ", $2::text[], $3::%s[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],"
        " $8::text[], $9::text[], $10::bigint[]) AS new(id, type, payload, headers, available,"
        " text0, text1, text2, text3, created_ts)",
        bytes ? "bytea" : "text");
}
