/*
 * sql_settle.c - applying outcomes, renewing leases and ending them
 * SPDX-License-Identifier: MIT
 */
#include "sql.h"

/* $1, the keys of the rows: tids in an open transaction, else ids. */
static bool settles_by_tid(const struct builder *sql)
{
    return !sql->lease && sql->table->by_tid;
}

static const char *key_column(const struct builder *sql)
{
    return settles_by_tid(sql) ? "ctid" : sql->column[ROLE_EVENT_ID];
}

static void add_keys(struct builder *sql)
{
    if (settles_by_tid(sql))
        ADD(sql, "$1::tid[]");
    else
        sql_ids(sql, 1);
}

static void add_still_ours(struct builder *sql, int token)
{
    if (sql->lease)
        ADD(sql, " AND t.%s = $%d::text AND (t.%s COLLATE \"C\") = '%s'",
            sql->column[ROLE_LOCKED_BY], token, sql->column[ROLE_STATUS],
            sql->store->states.text[STATE_DELIVERING]);
}

static void add_delivering(struct builder *sql)
{
    if (sql->store->settings.delete_delivered) {
        ADD(sql, "DELETE FROM %s t", sql->name);
    } else {
        ADD(sql, "UPDATE %s t SET %s = ", sql->name, sql->column[ROLE_STATUS]);
        sql_state(sql, STATE_DELIVERED);
        if (sql->table->has[ROLE_DELIVERED_AT])
            ADD(sql, ", %s = statement_timestamp()", sql->column[ROLE_DELIVERED_AT]);
        sql_unlocked(sql);
        sql_touched(sql);
    }
}

/* Lease: $2 the token. */
void sql_delivered(struct builder *sql)
{
    add_delivering(sql);
    ADD(sql, " WHERE t.%s = ANY (", key_column(sql));
    add_keys(sql);
    ADD(sql, ")");
    add_still_ours(sql, 2);
}

/* $1 the tids that the claim had, $2 the token. A row that moved since is not found. What is found
 * under the token is the claim's, though perhaps another event of it: hence only for all of it. */
void sql_delivered_whole(struct builder *sql)
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
    /* A producer may leave it NULL, where the column allows that. */
    ADD(sql, "%s = CASE WHEN t.%s >= %s THEN t.%s ELSE coalesce(t.%s, 0) + %s END", attempts,
        attempts, greatest_attempts(sql), attempts, attempts, charge);
}

/* The state that a condition on the row decides: dead, else pending. */
static void add_dead_or_pending(struct builder *sql, const char *is_dead)
{
    ADD(sql, "%s = CASE WHEN %s THEN ", sql->column[ROLE_STATUS], is_dead);
    sql_state(sql, STATE_DEAD);
    ADD(sql, " ELSE ");
    sql_state(sql, STATE_PENDING);
    ADD(sql, " END");
}

/* What a failure changes, of the columns that there are; never nothing. */
static void add_failure(struct builder *sql)
{
    const struct table *table = sql->table;
    const char *available = sql->column[ROLE_AVAILABLE_AT];
    const char *last_error = sql->column[ROLE_LAST_ERROR], *comma = "";
    char is_dead[48];
    (void)snprintf(is_dead, sizeof(is_dead), "s.verdict = %d", OUTBOX_SETTLE_DEAD);
    if (table->has[ROLE_STATUS] && states_have(&sql->store->states, STATE_DEAD)) {
        add_dead_or_pending(sql, is_dead);
        comma = ", ";
    }
    if (table->has[ROLE_ATTEMPTS]) {
        ADD(sql, "%s", comma);
        add_charged(sql, "s.charge");
        comma = ", ";
    }
    if (table->has[ROLE_AVAILABLE_AT]) {
        ADD(sql,
            "%s%s = CASE s.verdict WHEN %d THEN statement_timestamp()"
            " + s.delay * interval '1 microsecond' ELSE t.%s END",
            comma, available, OUTBOX_SETTLE_RETRY, available);
        comma = ", ";
    }
    if (table->has[ROLE_LAST_ERROR])
        ADD(sql, "%s%s = coalesce(s.error, t.%s)", comma, last_error, last_error);
}

/* $2 verdicts, $3 delays, $4 charges, $5 errors; lease: $6 the token. */
void sql_mixed(struct builder *sql)
{
    ADD(sql, "UPDATE %s t SET ", sql->name);
    add_failure(sql);
    sql_unlocked(sql);
    sql_touched(sql);
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
void sql_renew(struct builder *sql)
{
    const char *id = sql->column[ROLE_EVENT_ID];
    ADD(sql,
        "WITH mine AS MATERIALIZED (SELECT %s AS id FROM %s WHERE %s = '%s'"
        " AND %s >= $2::timestamptz AND %s = $1::text)",
        id, sql->name, sql->column[ROLE_STATUS], sql->store->states.text[STATE_DELIVERING],
        sql->column[ROLE_LOCKED_AT], sql->column[ROLE_LOCKED_BY]);
    ADD(sql, " UPDATE %s t SET %s = statement_timestamp()", sql->name, sql->column[ROLE_LOCKED_AT]);
    sql_touched(sql);
    ADD(sql, " FROM (SELECT id FROM mine ORDER BY id) s WHERE t.%s = s.id", id);
    add_still_ours(sql, 1);
}

/* $1 where to begin. One row: now, and the oldest lease or NULL. */
void sql_oldest_lease(struct builder *sql)
{
    const char *locked_at = sql->column[ROLE_LOCKED_AT];
    ADD(sql,
        "SELECT statement_timestamp(), (SELECT %s FROM %s WHERE %s = '%s'"
        " AND %s >= $1::timestamptz ORDER BY %s LIMIT 1)",
        locked_at, sql->name, sql->column[ROLE_STATUS], sql->store->states.text[STATE_DELIVERING],
        locked_at, locked_at);
}

/* $1 where to begin, $2 lease and $3 foreign lease in microseconds, $4 prefix of our owners, $5 how
 * many, $6 attempts allowed, $7 base and $8 greatest delay in microseconds. */
static void add_expired(struct builder *sql)
{
    const char *locked_at = sql->column[ROLE_LOCKED_AT], *locked_by = sql->column[ROLE_LOCKED_BY];
    const char *id = sql->table->by_tid ? "ctid" : sql->column[ROLE_EVENT_ID];
    ADD(sql,
        "WITH expired AS MATERIALIZED (SELECT t.%s AS id FROM %s t WHERE %s = '%s'"
        " AND %s >= $1::timestamptz"
        " AND %s < statement_timestamp() - $2::bigint * interval '1 microsecond'",
        id, sql->name, sql->column[ROLE_STATUS], sql->store->states.text[STATE_DELIVERING],
        locked_at, locked_at);
    ADD(sql,
        " AND (starts_with(%s, $4::text)"
        " OR %s < statement_timestamp() - $3::bigint * interval '1 microsecond')"
        " ORDER BY %s LIMIT $5::bigint FOR UPDATE SKIP LOCKED)",
        locked_by, locked_at, locked_at);
}

void sql_reap(struct builder *sql)
{
    const char *locked_at = sql->column[ROLE_LOCKED_AT], *locked_by = sql->column[ROLE_LOCKED_BY];
    const char *attempts = sql->column[ROLE_ATTEMPTS], *available = sql->column[ROLE_AVAILABLE_AT];
    const char *id = sql->table->by_tid ? "ctid" : sql->column[ROLE_EVENT_ID];
    char is_dead[192];
    (void)snprintf(is_dead, sizeof(is_dead), "coalesce(t.%s, 0) >= $6::bigint - 1", attempts);
    add_expired(sql);
    ADD(sql, " UPDATE %s t SET ", sql->name);
    add_dead_or_pending(sql, is_dead);
    ADD(sql, ", ");
    add_charged(sql, "1");
    ADD(sql,
        ", %s = CASE WHEN %s THEN t.%s ELSE statement_timestamp()"
        " + least($8::bigint, $7::bigint * power(2::double precision, greatest(least("
        "coalesce(t.%s, 0), 62), 0)))"
        " * interval '1 microsecond' END",
        available, is_dead, available, attempts);
    if (sql->table->has[ROLE_LAST_ERROR])
        ADD(sql,
            ", %s = 'lease expired: claimed by ' || coalesce(t.%s, 'an unnamed relay') || ' at '"
            " || t.%s::text",
            sql->column[ROLE_LAST_ERROR], locked_by, locked_at);
    sql_unlocked(sql);
    sql_touched(sql);
    ADD(sql, " FROM expired WHERE t.%s = expired.id RETURNING t.%s = ", id,
        sql->column[ROLE_STATUS]);
    sql_state(sql, STATE_DEAD);
}
