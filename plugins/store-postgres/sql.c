/*
 * sql.c - the statements, built for the table that was found
 * SPDX-License-Identifier: MIT
 *
 * Two things are said in an unusual way, both for the planner's sake. Where a row is looked up by
 * its id, the status is compared under COLLATE "C": a plain comparison would allow the small
 * partial index on leases, which looks cheap to a plan made once and for ever, and is then walked
 * from end to end. And "now" is statement_timestamp() throughout: now() stands still within a
 * transaction, and several statements of ours share one. */
#include "driver.h"

#include <stdlib.h>

struct builder {
    struct buffer out;
    const struct outbox_store *store;
    const struct table *table;
    const char *name;          /* of the table */
    const char *const *column; /* quoted, by role */
    bool lease;
};

#define ADD(builder, ...) buffer_text(&(builder)->out, __VA_ARGS__)

static bool is_text(Oid type)
{
    return type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_NAME;
}

static const char *tie_type(const struct builder *sql)
{
    return sql->table->tie == ROLE_SEQ ? "bigint" : "timestamptz";
}

/* The pending events that are due, as a condition; the scan's bounds are the caller's. */
static void add_due(struct builder *sql)
{
    ADD(sql, "%s = 'PENDING' AND %s <= statement_timestamp()", sql->column[ROLE_STATUS],
        sql->column[ROLE_AVAILABLE_AT]);
}

static void add_position(struct builder *sql)
{
    ADD(sql, "%s, %s", sql->column[ROLE_AVAILABLE_AT], sql->column[sql->table->tie]);
}

static void add_touched(struct builder *sql)
{
    if (sql->table->has[ROLE_UPDATED_AT])
        ADD(sql, ", %s = statement_timestamp()", sql->column[ROLE_UPDATED_AT]);
}

static void add_unlocked(struct builder *sql)
{
    if (sql->table->has[ROLE_LOCKED_BY])
        ADD(sql, ", %s = NULL", sql->column[ROLE_LOCKED_BY]);
    if (sql->table->has[ROLE_LOCKED_AT])
        ADD(sql, ", %s = NULL", sql->column[ROLE_LOCKED_AT]);
}

/* ---- Claims ------------------------------------------------------------------------------- */

static void add_text_field(struct builder *sql, enum role role)
{
    if (!sql->table->has[role])
        return;
    ADD(sql, ", t.%s%s", sql->column[role], is_text(sql->table->type[role]) ? "" : "::text");
}

/* In the order of enum field. $4 is the largest payload wanted. */
static void add_fields(struct builder *sql)
{
    const char *payload = sql->column[ROLE_PAYLOAD];
    bool uuid = sql->table->type[ROLE_EVENT_ID] == TYPE_UUID;
    ADD(sql, "t.%s%s", sql->column[ROLE_EVENT_ID], uuid ? "" : "::text");
    add_text_field(sql, ROLE_EVENT_TYPE);
    ADD(sql,
        ", CASE WHEN octet_length(t.%s) > $4::bigint THEN NULL ELSE t.%s END, octet_length(t.%s)",
        payload, payload, payload);
    ADD(sql, ", t.%s, t.%s, t.%s, t.%s, t.ctid", sql->column[ROLE_ATTEMPTS],
        sql->column[ROLE_AVAILABLE_AT], sql->column[ROLE_CREATED_AT], sql->column[sql->table->tie]);
    if (sql->table->has[ROLE_HEADERS])
        ADD(sql, ", t.%s", sql->column[ROLE_HEADERS]);
    add_text_field(sql, ROLE_PARTITION_KEY);
    add_text_field(sql, ROLE_ORDERING_KEY);
    add_text_field(sql, ROLE_AGGREGATE_TYPE);
    add_text_field(sql, ROLE_AGGREGATE_ID);
}

/* $1 how many, $2 and $3 where to begin. */
static void add_scan(struct builder *sql)
{
    ADD(sql, " FROM %s t WHERE ", sql->name);
    add_due(sql);
    ADD(sql, " AND (");
    add_position(sql);
    ADD(sql, ") >= ($2::timestamptz, $3::%s) ORDER BY ", tie_type(sql));
    add_position(sql);
    ADD(sql, " LIMIT $1::bigint FOR UPDATE SKIP LOCKED");
}

static void add_leased(struct builder *sql)
{
    ADD(sql, "UPDATE %s t SET %s = 'DELIVERING', %s = $5::text, %s = statement_timestamp()",
        sql->name, sql->column[ROLE_STATUS], sql->column[ROLE_LOCKED_BY],
        sql->column[ROLE_LOCKED_AT]);
    add_touched(sql);
}

/* $5 the token. A tid is the quickest way back to a row, but means nothing across partitions; there
 * the time helps the server to find the partition. */
static void add_lease_claim(struct builder *sql)
{
    const char *id = sql->column[ROLE_EVENT_ID], *created = sql->column[ROLE_CREATED_AT];
    if (sql->table->by_tid) {
        add_leased(sql);
        ADD(sql, " WHERE t.ctid = ANY (ARRAY(SELECT t.ctid");
        add_scan(sql);
        ADD(sql, ")) RETURNING ");
    } else {
        ADD(sql, "WITH picked AS MATERIALIZED (SELECT t.%s AS id, t.%s AS created", id, created);
        add_scan(sql);
        ADD(sql, ") ");
        add_leased(sql);
        ADD(sql, " FROM picked WHERE t.%s = picked.id AND t.%s = picked.created RETURNING ", id,
            created);
    }
    add_fields(sql);
}

static void add_claim(struct builder *sql)
{
    if (sql->lease) {
        add_lease_claim(sql);
        return;
    }
    ADD(sql, "SELECT ");
    add_fields(sql);
    add_scan(sql);
}

/* $1 and $2 the watermark. One row: the oldest event below it or NULLs, and the microseconds that
 * it took. It locks what it finds, to tell a waiting event from one in other hands. */
static void add_look(struct builder *sql)
{
    ADD(sql, "WITH found AS MATERIALIZED (SELECT %s AS at, %s AS tie",
        sql->column[ROLE_AVAILABLE_AT], sql->column[sql->table->tie]);
    ADD(sql, " FROM %s WHERE ", sql->name);
    add_due(sql);
    ADD(sql, " AND (");
    add_position(sql);
    ADD(sql, ") < ($1::timestamptz, $2::%s) ORDER BY ", tie_type(sql));
    add_position(sql);
    ADD(sql, " LIMIT 1 FOR UPDATE SKIP LOCKED) SELECT found.at, found.tie,"
             " (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000000)::bigint"
             " FROM (VALUES (1)) AS one(row) LEFT JOIN found ON true");
}

/* ---- Settling ----------------------------------------------------------------------------- */

/* $1, the keys of the rows: tids in an open transaction, else ids. */
static bool settles_by_tid(const struct builder *sql)
{
    return !sql->lease && sql->table->by_tid;
}

static const char *key_column(const struct builder *sql)
{
    return settles_by_tid(sql) ? "ctid" : sql->column[ROLE_EVENT_ID];
}

static void add_ids(struct builder *sql)
{
    if (sql->table->type[ROLE_EVENT_ID] == TYPE_UUID)
        ADD(sql, "$1::uuid[]");
    else
        ADD(sql, "$1::text[]::%s[]", sql->table->id_type);
}

static void add_keys(struct builder *sql)
{
    if (settles_by_tid(sql))
        ADD(sql, "$1::tid[]");
    else
        add_ids(sql);
}

static void add_still_ours(struct builder *sql, int token)
{
    if (sql->lease)
        ADD(sql, " AND t.%s = $%d::text AND (t.%s COLLATE \"C\") = 'DELIVERING'",
            sql->column[ROLE_LOCKED_BY], token, sql->column[ROLE_STATUS]);
}

static void add_delivering(struct builder *sql)
{
    if (sql->store->settings.delete_delivered) {
        ADD(sql, "DELETE FROM %s t", sql->name);
    } else {
        ADD(sql, "UPDATE %s t SET %s = 'DELIVERED', %s = statement_timestamp()", sql->name,
            sql->column[ROLE_STATUS], sql->column[ROLE_DELIVERED_AT]);
        add_unlocked(sql);
        add_touched(sql);
    }
}

/* Lease: $2 the token. */
static void add_delivered(struct builder *sql)
{
    add_delivering(sql);
    ADD(sql, " WHERE t.%s = ANY (", key_column(sql));
    add_keys(sql);
    ADD(sql, ")");
    add_still_ours(sql, 2);
}

/* $1 the tids that the claim had, $2 the token. A row that moved since is not found. What is found
 * under the token is the claim's, though perhaps another event of it: hence only for all of it. */
static void add_delivered_whole(struct builder *sql)
{
    add_delivering(sql);
    ADD(sql, " WHERE t.ctid = ANY ($1::tid[])");
    add_still_ours(sql, 2);
}

/* A row that is at the end of its column's range must not fail the statement for all others. */
static const char *greatest_attempts(const struct builder *sql)
{
    switch (sql->table->type[ROLE_ATTEMPTS]) {
    case TYPE_INT2:
        return "32767";
    case TYPE_INT8:
        return "9223372036854775807";
    default:
        return "2147483647";
    }
}

static void add_charged(struct builder *sql, const char *charge)
{
    const char *attempts = sql->column[ROLE_ATTEMPTS];
    ADD(sql, ", %s = CASE WHEN t.%s < %s THEN t.%s + %s ELSE t.%s END", attempts, attempts,
        greatest_attempts(sql), attempts, charge, attempts);
}

/* $2 verdicts, $3 delays, $4 charges, $5 errors; lease: $6 the token. */
static void add_mixed(struct builder *sql)
{
    const char *available = sql->column[ROLE_AVAILABLE_AT];
    const char *last_error = sql->column[ROLE_LAST_ERROR];
    ADD(sql, "UPDATE %s t SET %s = CASE s.verdict WHEN %d THEN 'DEAD' ELSE 'PENDING' END",
        sql->name, sql->column[ROLE_STATUS], OUTBOX_SETTLE_DEAD);
    add_charged(sql, "s.charge");
    ADD(sql,
        ", %s = CASE s.verdict WHEN %d THEN statement_timestamp()"
        " + s.delay * interval '1 microsecond' ELSE t.%s END",
        available, OUTBOX_SETTLE_RETRY, available);
    ADD(sql, ", %s = coalesce(s.error, t.%s)", last_error, last_error);
    add_unlocked(sql);
    add_touched(sql);
    ADD(sql, " FROM (SELECT * FROM unnest(");
    add_keys(sql);
    ADD(sql,
        ", $2::integer[], $3::bigint[], $4::integer[], $5::text[])"
        " AS u(id, verdict, delay, charge, error) ORDER BY u.id) s WHERE t.%s = s.id",
        key_column(sql));
    add_still_ours(sql, 6);
}

/* ---- Leases ------------------------------------------------------------------------------- */

/* $1 the token, $2 the oldest lease. Rows are changed in the order of their ids, as everywhere. */
static void add_renew(struct builder *sql)
{
    const char *id = sql->column[ROLE_EVENT_ID];
    ADD(sql,
        "WITH mine AS MATERIALIZED (SELECT %s AS id FROM %s WHERE %s = 'DELIVERING'"
        " AND %s >= $2::timestamptz AND %s = $1::text)",
        id, sql->name, sql->column[ROLE_STATUS], sql->column[ROLE_LOCKED_AT],
        sql->column[ROLE_LOCKED_BY]);
    ADD(sql, " UPDATE %s t SET %s = statement_timestamp()", sql->name, sql->column[ROLE_LOCKED_AT]);
    add_touched(sql);
    ADD(sql, " FROM (SELECT id FROM mine ORDER BY id) s WHERE t.%s = s.id", id);
    add_still_ours(sql, 1);
}

/* $1 where to begin. One row: now, and the oldest lease or NULL. */
static void add_oldest_lease(struct builder *sql)
{
    const char *locked_at = sql->column[ROLE_LOCKED_AT];
    ADD(sql,
        "SELECT statement_timestamp(), (SELECT %s FROM %s WHERE %s = 'DELIVERING'"
        " AND %s >= $1::timestamptz ORDER BY %s LIMIT 1)",
        locked_at, sql->name, sql->column[ROLE_STATUS], locked_at, locked_at);
}

/* $1 where to begin, $2 lease and $3 foreign lease in microseconds, $4 prefix of our owners, $5 how
 * many, $6 attempts allowed, $7 base and $8 greatest delay in microseconds. */
static void add_reap(struct builder *sql)
{
    const char *locked_at = sql->column[ROLE_LOCKED_AT], *locked_by = sql->column[ROLE_LOCKED_BY];
    const char *attempts = sql->column[ROLE_ATTEMPTS], *available = sql->column[ROLE_AVAILABLE_AT];
    const char *id = sql->table->by_tid ? "ctid" : sql->column[ROLE_EVENT_ID];
    ADD(sql,
        "WITH expired AS MATERIALIZED (SELECT t.%s AS id FROM %s t WHERE %s = 'DELIVERING'"
        " AND %s >= $1::timestamptz"
        " AND %s < statement_timestamp() - $2::bigint * interval '1 microsecond'",
        id, sql->name, sql->column[ROLE_STATUS], locked_at, locked_at);
    ADD(sql,
        " AND (starts_with(%s, $4::text)"
        " OR %s < statement_timestamp() - $3::bigint * interval '1 microsecond')"
        " ORDER BY %s LIMIT $5::bigint FOR UPDATE SKIP LOCKED)",
        locked_by, locked_at, locked_at);
    ADD(sql,
        " UPDATE %s t SET %s = CASE WHEN t.%s >= $6::bigint - 1 THEN 'DEAD' ELSE 'PENDING' END",
        sql->name, sql->column[ROLE_STATUS], attempts);
    add_charged(sql, "1");
    ADD(sql,
        ", %s = CASE WHEN t.%s >= $6::bigint - 1 THEN t.%s ELSE statement_timestamp()"
        " + least($8::bigint, $7::bigint * power(2::double precision, greatest(least(t.%s, 62), "
        "0)))"
        " * interval '1 microsecond' END",
        available, attempts, available, attempts);
    ADD(sql,
        ", %s = 'lease expired: claimed by ' || coalesce(t.%s, 'an unnamed relay') || ' at '"
        " || t.%s::text",
        sql->column[ROLE_LAST_ERROR], locked_by, locked_at);
    add_unlocked(sql);
    add_touched(sql);
    ADD(sql, " FROM expired WHERE t.%s = expired.id RETURNING t.%s = 'DEAD'", id,
        sql->column[ROLE_STATUS]);
}

/* ---- Producing and looking ---------------------------------------------------------------- */

static const enum role optional_texts[] = {ROLE_PARTITION_KEY, ROLE_ORDERING_KEY,
                                           ROLE_AGGREGATE_TYPE, ROLE_AGGREGATE_ID};
enum { OPTIONAL_TEXTS = sizeof(optional_texts) / sizeof(optional_texts[0]) };

/* $1 ids, $2 types, $3 payloads, $4 headers, $5 available_at, $6 to $9 the optional texts. */
static void add_enqueue(struct builder *sql)
{
    static const char now[] = "statement_timestamp()";
    const struct table *table = sql->table;
    ADD(sql, "INSERT INTO %s (%s, %s, %s, %s, %s, %s, %s", sql->name, sql->column[ROLE_EVENT_ID],
        sql->column[ROLE_EVENT_TYPE], sql->column[ROLE_PAYLOAD], sql->column[ROLE_STATUS],
        sql->column[ROLE_ATTEMPTS], sql->column[ROLE_AVAILABLE_AT], sql->column[ROLE_CREATED_AT]);
    if (table->has[ROLE_HEADERS])
        ADD(sql, ", %s", sql->column[ROLE_HEADERS]);
    if (table->has[ROLE_UPDATED_AT])
        ADD(sql, ", %s", sql->column[ROLE_UPDATED_AT]);
    for (int i = 0; i < OPTIONAL_TEXTS; i++)
        if (table->has[optional_texts[i]])
            ADD(sql, ", %s", sql->column[optional_texts[i]]);
    ADD(sql, ") SELECT id, type, payload, 'PENDING', 0, coalesce(available, %s), %s", now, now);
    if (table->has[ROLE_HEADERS]) {
        const char *type = table->type[ROLE_HEADERS] == TYPE_JSONB  ? "jsonb"
                           : table->type[ROLE_HEADERS] == TYPE_JSON ? "json"
                                                                    : "text";
        ADD(sql, ", coalesce(headers, '{}')::%s", type);
    }
    if (table->has[ROLE_UPDATED_AT])
        ADD(sql, ", %s", now);
    for (int i = 0; i < OPTIONAL_TEXTS; i++)
        if (table->has[optional_texts[i]])
            ADD(sql, ", text%d", i);
    ADD(sql, " FROM unnest(");
    add_ids(sql);
    ADD(sql, ", $2::text[], $3::bytea[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],"
             " $8::text[], $9::text[]) AS new(id, type, payload, headers, available, text0, text1,"
             " text2, text3)");
}

/* A count that stops one row beyond the cap. */
static void add_count(struct builder *sql, const char *state, const char *condition)
{
    ADD(sql, "(SELECT count(*) FROM (SELECT FROM %s WHERE %s = '%s'%s LIMIT %d) s)", sql->name,
        sql->column[ROLE_STATUS], state, condition, STATS_CAP + 1);
}

/* $1 the table's oid, $2 the claim index's. Times in microseconds; counts; the table's size in
 * bytes; the rows that the planner reckons with, scaled by how the table grew since. */
static void add_stats(struct builder *sql)
{
    const char *available = sql->column[ROLE_AVAILABLE_AT];
    char condition[256];
    ADD(sql, "SELECT ");
    (void)snprintf(condition, sizeof(condition), " AND %s <= statement_timestamp()", available);
    add_count(sql, "PENDING", condition);
    (void)snprintf(condition, sizeof(condition), " AND %s > statement_timestamp()", available);
    ADD(sql, ", ");
    add_count(sql, "PENDING", condition);
    ADD(sql, ", ");
    if (sql->table->has[ROLE_LOCKED_AT])
        add_count(sql, "DELIVERING", "");
    else
        ADD(sql, "0::bigint");
    ADD(sql, ", ");
    if (sql->table->dead_index)
        add_count(sql, "DEAD", "");
    else
        ADD(sql, "NULL::bigint");
    ADD(sql,
        ", (SELECT (extract(epoch FROM statement_timestamp() - %s) * 1000000)::bigint FROM %s "
        "WHERE ",
        available, sql->name);
    add_due(sql);
    ADD(sql,
        " ORDER BY %s LIMIT 1), size, CASE WHEN pages > 0 THEN (rows * size / 8192 / "
        "pages)::bigint END,"
        " (SELECT reltuples::bigint FROM pg_catalog.pg_class WHERE oid = $2::oid)"
        " FROM (SELECT sum(pg_catalog.pg_relation_size(c.oid))::bigint AS size,"
        " sum(greatest(c.reltuples, 0))::float8 AS rows,"
        " sum(CASE WHEN c.reltuples < 0 THEN 0 ELSE c.relpages END)::float8 AS pages"
        " FROM pg_catalog.pg_class c JOIN (SELECT $1::oid AS relid UNION"
        " SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass)) p"
        " ON p.relid = c.oid WHERE c.relkind = 'r') whole",
        available);
}

static void add_small_stats(struct builder *sql)
{
    const char *state = sql->column[ROLE_STATUS];
    ADD(sql,
        "SELECT count(*) FILTER (WHERE %s = 'DELIVERED'), count(*) FILTER (WHERE %s = 'DEAD') FROM "
        "%s",
        state, state, sql->name);
}

/* ---- Pruning ------------------------------------------------------------------------------ */

/* $1 and $2 the ages of what is delivered and dead, in microseconds; negative: none is old. */
static void add_old(struct builder *sql, const char *state, int age, const char *since)
{
    ADD(sql,
        "t.%s = '%s' AND $%d::bigint >= 0"
        " AND t.%s < statement_timestamp() - $%d::bigint * interval '1 microsecond'",
        sql->column[ROLE_STATUS], state, age, since, age);
}

static void add_old_delivered(struct builder *sql)
{
    add_old(sql, "DELIVERED", 1, sql->column[ROLE_DELIVERED_AT]);
}

static void add_old_dead(struct builder *sql)
{
    bool is_touched = sql->table->has[ROLE_UPDATED_AT];
    add_old(sql, "DEAD", 2, sql->column[is_touched ? ROLE_UPDATED_AT : ROLE_CREATED_AT]);
}

static void add_count_old(struct builder *sql)
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
static void add_prune(struct builder *sql)
{
    const char *id = sql->column[ROLE_EVENT_ID], *created = sql->column[ROLE_CREATED_AT];
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
    ADD(sql,
        " RETURNING t.%s AS state) SELECT count(*) FILTER (WHERE state = 'DELIVERED'),"
        " count(*) FILTER (WHERE state = 'DEAD'), (SELECT count(*) FROM old)",
        sql->column[ROLE_STATUS]);
    if (by_tid)
        ADD(sql, ", (SELECT (max(id)::text::point)[0]::bigint FROM old),"
                 " pg_catalog.pg_relation_size($6::oid)"
                 " / pg_catalog.current_setting('block_size')::bigint");
    ADD(sql, " FROM gone");
}

char *sql_text(enum statement statement, const struct outbox_store *store,
               const struct table *table)
{
    typedef void add_statement(struct builder * sql);
    static add_statement *const builders[STATEMENT_COUNT] = {
        [STATEMENT_CLAIM] = add_claim,
        [STATEMENT_LOOK] = add_look,
        [STATEMENT_DELIVERED] = add_delivered,
        [STATEMENT_MIXED] = add_mixed,
        [STATEMENT_DELIVERED_WHOLE] = add_delivered_whole,
        [STATEMENT_RENEW] = add_renew,
        [STATEMENT_OLDEST_LEASE] = add_oldest_lease,
        [STATEMENT_REAP] = add_reap,
        [STATEMENT_ENQUEUE] = add_enqueue,
        [STATEMENT_STATS] = add_stats,
        [STATEMENT_SMALL_STATS] = add_small_stats,
        [STATEMENT_PRUNE] = add_prune,
        [STATEMENT_COUNT_OLD] = add_count_old,
    };
    struct builder sql = {.store = store,
                          .table = table,
                          .name = store->names.table,
                          .column = (const char *const *)store->names.quoted,
                          .lease = store->settings.mode == OUTBOX_MODE_LEASE};
    if (builders[statement])
        builders[statement](&sql);
    else
        ADD(&sql, "SELECT set_config('synchronous_commit', 'off', true)");
    return buffer_take(&sql.out);
}
