/*
 * partition_set.c - which partitions a table has, and what time each is for
 * SPDX-License-Identifier: MIT
 */
#include "partitions.h"

#include <stdlib.h>

/* $1 the table's name. partattrs[0] is 0 where the key is an expression. */
static const char key_sql[] =
    "SELECT p.partstrat, p.partnatts, a.attname, a.atttypid, pg_catalog.quote_ident(n.nspname),"
    " (extract(epoch FROM pg_catalog.statement_timestamp()) * 1000000)::bigint"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid"
    " LEFT JOIN pg_catalog.pg_attribute a"
    "  ON a.attrelid = c.oid AND a.attnum = p.partattrs[0] AND a.attnum > 0"
    " WHERE c.oid = pg_catalog.to_regclass($1)";
enum { STRATEGY, KEY_COLUMNS, KEY_NAME, KEY_TYPE, SCHEMA, NOW };

/* A bound in microseconds since 1970. Far bounds are as good as none. */
#define BOUND(end)                                                                                 \
    "CASE WHEN " end " IN ('MINVALUE', '-infinity') THEN '-9223372036854775808'::bigint"           \
    " WHEN " end " IN ('MAXVALUE', 'infinity') THEN 9223372036854775807"                           \
    " ELSE least(greatest(1000000 * CASE WHEN $2::bool THEN " end "::numeric"                      \
    " ELSE extract(epoch FROM " end "::timestamptz) END, -9.2e18), 9.2e18)::bigint END"

#define FROM_SQL BOUND("lower")
#define UNTIL_SQL BOUND("upper")

/* $1 the table's name, $2 whether the key is a number of seconds. The server writes a bound as
 * FOR VALUES FROM ('2024-01-01 00:00:00+00') TO (MAXVALUE), or as DEFAULT; one that was just
 * dropped has none. */
static const char list_sql[] =
    "SELECT name, full_name, oid, bound = 'DEFAULT', " FROM_SQL " AS since, " UNTIL_SQL
    ", pages * pg_catalog.current_setting('block_size')::bigint"
    " FROM (SELECT c.oid, c.relname AS name, c.relpages AS pages,"
    "  pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS full_name,"
    "  bound, pg_catalog.btrim(ends[1], '''') AS lower, pg_catalog.btrim(ends[2], '''') AS upper"
    "  FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  CROSS JOIN LATERAL pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound"
    "  LEFT JOIN LATERAL pg_catalog.regexp_match("
    "   bound, '^FOR VALUES FROM \\((.*)\\) TO \\((.*)\\)$') AS ends ON true"
    "  WHERE i.inhparent = pg_catalog.to_regclass($1)) found"
    " WHERE bound IS NOT NULL ORDER BY bound = 'DEFAULT', since";
enum { NAME, FULL_NAME, PARTITION_OID, IS_DEFAULT, FROM, UNTIL, BYTES };

static int64_t number(const PGresult *result, size_t row, int column)
{
    return strtoll(PQgetvalue(result, (int)row, column), NULL, 10);
}

const char *partition_name(const struct partition_set *set, size_t index)
{
    return PQgetvalue(set->list, (int)index, NAME);
}

const char *partition_table(const struct partition_set *set, size_t index)
{
    return PQgetvalue(set->list, (int)index, FULL_NAME);
}

const char *partition_oid(const struct partition_set *set, size_t index)
{
    return PQgetvalue(set->list, (int)index, PARTITION_OID);
}

int64_t partition_bytes(const struct partition_set *set, size_t index)
{
    return number(set->list, index, BYTES);
}

void partition_set_clear(struct partition_set *set)
{
    PQclear(set->list);
    free(set->stretch);
    free(set->schema);
    free(set->key);
    *set = (struct partition_set){0};
}

/* ---- The key ------------------------------------------------------------------------------ */

static bool is_column(const struct outbox_store *store, enum role role, const char *name)
{
    return store->names.column[role] && strcmp(store->names.column[role], name) == 0;
}

static enum outbox_status refuse(const struct outbox_store *store, const PGresult *key,
                                 struct outbox_error *error)
{
    const char *table = store->names.table;
    if (PQgetisnull(key, 0, STRATEGY))
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "",
                           "table %s is not partitioned, and a table with events in it cannot be "
                           "made so: see the driver's page for how to move to one that is",
                           table);
    return outbox_fail(error, OUTBOX_UNSUPPORTED, "",
                       "table %s is partitioned, but not by RANGE of the one column %s: tend its "
                       "partitions in your own way, or see `columns`",
                       table,
                       store->names.column[ROLE_CREATED_AT] ? store->names.column[ROLE_CREATED_AT]
                                                            : "created_at");
}

static enum outbox_status read_key(const struct outbox_store *store, struct partition_set *set,
                                   const PGresult *key, struct outbox_error *error)
{
    const char *name = PQgetvalue(key, 0, KEY_NAME);
    Oid type = (Oid)number(key, 0, KEY_TYPE);
    bool is_range = PQgetvalue(key, 0, STRATEGY)[0] == 'r' && number(key, 0, KEY_COLUMNS) == 1;
    bool is_instant = is_column(store, ROLE_CREATED_AT, name) &&
                      (type == TYPE_TIMESTAMPTZ || type == TYPE_TIMESTAMP);
    set->by_seconds = is_column(store, ROLE_CREATED_TS, name) && type == TYPE_INT8;
    if (!is_range || (!is_instant && !set->by_seconds))
        return refuse(store, key, error);
    set->key = quote_identifier(name, strlen(name));
    set->schema = strdup(PQgetvalue(key, 0, SCHEMA));
    set->now = number(key, 0, NOW);
    return set->key && set->schema ? OUTBOX_OK : failure_of_memory(error);
}

/* ---- The partitions ----------------------------------------------------------------------- */

static enum outbox_status read_list(struct partition_set *set, struct outbox_error *error)
{
    size_t rows = (size_t)PQntuples(set->list);
    set->stretch = calloc(rows + 1, sizeof(*set->stretch));
    if (!set->stretch)
        return failure_of_memory(error);
    for (size_t row = 0; row < rows; row++) {
        if (PQgetvalue(set->list, (int)row, IS_DEFAULT)[0] == 't') {
            set->default_table = partition_table(set, row);
            set->default_name = partition_name(set, row);
        } else {
            set->stretch[set->count++] =
                (struct stretch){number(set->list, row, FROM), number(set->list, row, UNTIL)};
        }
    }
    return OUTBOX_OK;
}

enum outbox_status partition_set_read(struct outbox_session *session, struct partition_set *set,
                                      struct outbox_error *error)
{
    const struct outbox_store *store = session->store;
    const char *table = store->names.table;
    partition_set_clear(set);
    exchange_start(session);
    size_t place = exchange_query(session, key_sql, (const char *[]){table}, 1);
    enum outbox_status status = exchange_run(session, "look how it is partitioned:", error);
    if (status != OUTBOX_OK)
        return status;
    if (PQntuples(exchange_result(session, place)) == 0) {
        session->forget = true;
        return outbox_fail(error, OUTBOX_SCHEMA, "42P01", "table %s is gone", table);
    }
    status = read_key(store, set, exchange_result(session, place), error);
    if (status != OUTBOX_OK)
        return status;
    exchange_start(session);
    place = exchange_query(session, list_sql,
                           (const char *[]){table, set->by_seconds ? "true" : "false"}, 2);
    status = exchange_run(session, "look at the partitions of", error);
    if (status != OUTBOX_OK)
        return status;
    set->list = exchange_take(session, place);
    return read_list(set, error);
}
