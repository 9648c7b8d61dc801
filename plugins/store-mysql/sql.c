/*
 * sql.c - the statements, built for the table that was found
 * SPDX-License-Identifier: MIT
 *
 * Parameters are known by their place alone, so each comment gives their order. An UPDATE assigns
 * from left to right and later assignments see what earlier ones wrote: whatever reads a column
 * stands before what changes it. NOW(6) is the same throughout a statement, and new in the next.
 */
#include "sql.h"

#include <stdlib.h>

/* ---- The order of claims ------------------------------------------------------------------ */

void add_forced(struct builder *sql)
{
    if (sql->table->claim_index)
        ADD(sql, " FORCE INDEX (%s)", sql->table->claim_index);
}

static void add_due(struct builder *sql)
{
    ADD(sql, "t.%s = %s", sql->column[ROLE_STATUS], sql->state[STATE_PENDING]);
    if (has(sql, ROLE_AVAILABLE_AT))
        ADD(sql, " AND t.%s <= NOW(6)", sql->column[ROLE_AVAILABLE_AT]);
}

/* Said so that both makes of the server scan one stretch of the index; a comparison of rows they
 * would not. */
void add_bound(struct builder *sql, bool before)
{
    const char *at = sql->column[ROLE_AVAILABLE_AT];
    const char *tie = sql->table->tie == ROLE_NONE ? NULL : sql->column[sql->table->tie];
    const char *beyond = before ? "<" : ">", *up_to = before ? "<" : ">=";
    if (!has(sql, ROLE_AVAILABLE_AT))
        ADD(sql, " AND t.%s %s ?", tie, up_to);
    else if (tie)
        ADD(sql, " AND ((t.%s = ? AND t.%s %s ?) OR t.%s %s ?)", at, tie, up_to, at, beyond);
    else
        ADD(sql, " AND t.%s %s ?", at, up_to);
}

void add_order(struct builder *sql)
{
    bool by_time = has(sql, ROLE_AVAILABLE_AT), by_tie = sql->table->tie != ROLE_NONE;
    ADD(sql, " ORDER BY ");
    if (by_time)
        ADD(sql, "t.%s", sql->column[ROLE_AVAILABLE_AT]);
    if (by_tie)
        ADD(sql, "%st.%s", by_time ? ", " : "", sql->column[sql->table->tie]);
}

void add_place(struct builder *sql)
{
    ADD(sql, "SELECT t.%s", sql->column[sql->table->key]);
    if (has(sql, ROLE_AVAILABLE_AT))
        ADD(sql, ", t.%s", sql->column[ROLE_AVAILABLE_AT]);
    else
        ADD(sql, ", NULL");
    if (sql->table->tie != ROLE_NONE)
        ADD(sql, ", t.%s", sql->column[sql->table->tie]);
    else
        ADD(sql, ", NULL");
}

static void add_found(struct builder *sql)
{
    add_place(sql);
    ADD(sql, ", t.%s FROM %s AS t", sql->column[ROLE_ATTEMPTS], sql->name);
    add_forced(sql);
}

/* ---- Claims ------------------------------------------------------------------------------- */

int sql_fields(const struct table *table, int field[ROLE_COUNT])
{
    static const enum role unread[] = {ROLE_STATUS,    ROLE_LAST_ERROR,   ROLE_LOCKED_BY,
                                       ROLE_LOCKED_AT, ROLE_DELIVERED_AT, ROLE_UPDATED_AT};
    int next = 0;
    for (int role = 0; role < ROLE_COUNT; role++) {
        bool is_read = table->columns[role].exists;
        for (size_t i = 0; i < sizeof(unread) / sizeof(unread[0]); i++)
            is_read = is_read && unread[i] != (enum role)role;
        field[role] = is_read ? next++ : -1;
    }
    return next;
}

/* What has no text of its own is asked for as the text that the server makes of it. */
static void add_field(struct builder *sql, enum role role)
{
    const char *name = sql->column[role];
    enum kind kind = sql->table->columns[role].kind;
    bool number = kind == KIND_INTEGER || kind == KIND_UNSIGNED;
    bool as_text = kind == KIND_OTHER ||
                   (number && role != ROLE_EVENT_ID && role != ROLE_SEQ && role != ROLE_ATTEMPTS);
    if (role == ROLE_PAYLOAD)
        ADD(sql, "CASE WHEN LENGTH(t.%s) <= ? THEN t.%s END", name, name);
    else if (as_text)
        ADD(sql, "CAST(t.%s AS CHAR)", name);
    else
        ADD(sql, "t.%s", name);
}

static void add_utc(struct builder *sql, enum role role)
{
    if (has(sql, role))
        ADD(sql, ", CONVERT_TZ(t.%s, @@session.time_zone, '+00:00')", sql->column[role]);
    else
        ADD(sql, ", NULL");
}

/* Greatest payload, then the bound unless it is from the start, then how many. */
static void add_claiming(struct builder *sql, bool from_start)
{
    int field[ROLE_COUNT];
    (void)sql_fields(sql->table, field);
    ADD(sql, "SELECT ");
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (field[role] < 0)
            continue;
        add_field(sql, (enum role)role);
        ADD(sql, ", ");
    }
    ADD(sql, "LENGTH(t.%s)", sql->column[ROLE_PAYLOAD]);
    if (sql->table->local_time) {
        add_utc(sql, ROLE_CREATED_AT);
        add_utc(sql, ROLE_AVAILABLE_AT);
    }
    ADD(sql, " FROM %s AS t", sql->name);
    add_forced(sql);
    ADD(sql, " WHERE ");
    add_due(sql);
    if (!from_start)
        add_bound(sql, false);
    add_order(sql);
    ADD(sql, " LIMIT ? FOR UPDATE SKIP LOCKED");
}

static void add_claim(struct builder *sql)
{
    add_claiming(sql, false);
}

static void add_claim_first(struct builder *sql)
{
    add_claiming(sql, true);
}

/* The bound. It locks what it finds, to tell a waiting event from one in other hands. */
static void add_look(struct builder *sql)
{
    add_found(sql);
    ADD(sql, " WHERE ");
    add_due(sql);
    add_bound(sql, true);
    add_order(sql);
    ADD(sql, " LIMIT 1 FOR UPDATE SKIP LOCKED");
}

/* ---- Settling ----------------------------------------------------------------------------- */

void add_keys(struct builder *sql)
{
    ADD(sql, " WHERE t.%s IN (?", sql->column[sql->table->key]);
    for (size_t i = 1; i < sql->count; i++)
        ADD(sql, ",?");
    ADD(sql, ")");
}

static void add_still_ours(struct builder *sql)
{
    if (sql->lease)
        ADD(sql, " AND t.%s = ? AND t.%s = %s", sql->column[ROLE_LOCKED_BY],
            sql->column[ROLE_STATUS], sql->state[STATE_DELIVERING]);
}

static void add_touched(struct builder *sql)
{
    if (has(sql, ROLE_UPDATED_AT))
        ADD(sql, ", t.%s = NOW(6)", sql->column[ROLE_UPDATED_AT]);
}

static void add_unlocked(struct builder *sql)
{
    if (has(sql, ROLE_LOCKED_BY))
        ADD(sql, ", t.%s = NULL", sql->column[ROLE_LOCKED_BY]);
    if (has(sql, ROLE_LOCKED_AT))
        ADD(sql, ", t.%s = NULL", sql->column[ROLE_LOCKED_AT]);
}

/* Token, keys. The rows are locked by this transaction. */
static void add_lease(struct builder *sql)
{
    ADD(sql, "UPDATE %s AS t SET t.%s = %s, t.%s = ?, t.%s = NOW(6)", sql->name,
        sql->column[ROLE_STATUS], sql->state[STATE_DELIVERING], sql->column[ROLE_LOCKED_BY],
        sql->column[ROLE_LOCKED_AT]);
    add_touched(sql);
    add_keys(sql);
}

/* Keys, and in mode lease the token. */
static void add_delivered(struct builder *sql)
{
    if (sql->store->settings.delete_delivered) {
        ADD(sql, "DELETE t FROM %s AS t", sql->name);
    } else {
        ADD(sql, "UPDATE %s AS t SET t.%s = %s", sql->name, sql->column[ROLE_STATUS],
            sql->state[STATE_DELIVERED]);
        if (has(sql, ROLE_DELIVERED_AT))
            ADD(sql, ", t.%s = NOW(6)", sql->column[ROLE_DELIVERED_AT]);
        add_unlocked(sql);
        add_touched(sql);
    }
    add_keys(sql);
    add_still_ours(sql);
}

/* A row that is at the end of its column's range must not fail the statement for all others. */
static void add_charged(struct builder *sql, const char *charge)
{
    const char *attempts = sql->column[ROLE_ATTEMPTS];
    ADD(sql, ", t.%s = CASE WHEN t.%s < %lld THEN t.%s + %s ELSE t.%s END", attempts, attempts,
        (long long)sql->table->columns[ROLE_ATTEMPTS].greatest, attempts, charge, attempts);
}

/* How a key travels in JSON: its type there, and the expression that makes it a key again. */
static void json_key(const struct builder *sql, const char **type, const char **expression)
{
    *expression = "s.k";
    switch (sql->table->columns[sql->table->key].kind) {
    case KIND_INTEGER:
        *type = "BIGINT";
        return;
    case KIND_UNSIGNED:
        *type = "BIGINT UNSIGNED";
        return;
    case KIND_UUID_BYTES:
        *type = "CHAR(32)";
        *expression = "UNHEX(s.k)";
        return;
    default:
        *type = "VARCHAR(255) CHARACTER SET utf8mb4";
        return;
    }
}

/* outcome.c has seen to it that the column's character set has all of it. */
static void add_error(struct builder *sql)
{
    const struct column *column = &sql->table->columns[ROLE_LAST_ERROR];
    const char *last_error = sql->column[ROLE_LAST_ERROR];
    if (column->charset[0] && strcmp(column->charset, "utf8mb4") != 0)
        ADD(sql, ", t.%s = COALESCE(CONVERT(s.e USING %s), t.%s)", last_error, column->charset,
            last_error);
    else
        ADD(sql, ", t.%s = COALESCE(s.e, t.%s)", last_error, last_error);
}

/* Outcomes as JSON, and in mode lease the token. The list comes first, so that rows are changed in
 * its order. */
static void add_mixed(struct builder *sql)
{
    const char *type, *key;
    json_key(sql, &type, &key);
    ADD(sql,
        "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (k %s PATH '$.k', v INT PATH '$.v',"
        " d BIGINT PATH '$.d', c INT PATH '$.c', e TEXT CHARACTER SET utf8mb4 PATH '$.e')) AS s"
        " STRAIGHT_JOIN %s AS t ON t.%s = %s SET t.%s = CASE s.v WHEN %d THEN %s ELSE %s END",
        type, sql->name, sql->column[sql->table->key], key, sql->column[ROLE_STATUS],
        OUTBOX_SETTLE_DEAD, sql->state[STATE_DEAD], sql->state[STATE_PENDING]);
    add_charged(sql, "s.c");
    if (has(sql, ROLE_AVAILABLE_AT)) {
        const char *available = sql->column[ROLE_AVAILABLE_AT];
        ADD(sql,
            ", t.%s = CASE s.v WHEN %d THEN LEAST(NOW(6) + INTERVAL s.d MICROSECOND, %s) ELSE "
            "t.%s END",
            available, OUTBOX_SETTLE_RETRY, LAST_TIMESTAMP, available);
    }
    add_error(sql);
    add_unlocked(sql);
    add_touched(sql);
    ADD(sql, " WHERE TRUE");
    add_still_ours(sql);
}

/* ---- Leases ------------------------------------------------------------------------------- */

static void add_delivering(struct builder *sql)
{
    add_found(sql);
    ADD(sql, " WHERE t.%s = %s", sql->column[ROLE_STATUS], sql->state[STATE_DELIVERING]);
    add_bound(sql, false);
}

/* The bound, the token. */
static void add_leases_of(struct builder *sql)
{
    add_delivering(sql);
    ADD(sql, " AND t.%s = ?", sql->column[ROLE_LOCKED_BY]);
}

/* Keys, the token. */
static void add_renew(struct builder *sql)
{
    ADD(sql, "UPDATE %s AS t SET t.%s = NOW(6)", sql->name, sql->column[ROLE_LOCKED_AT]);
    add_touched(sql);
    add_keys(sql);
    ADD(sql, " AND t.%s = ? AND t.%s = %s", sql->column[ROLE_LOCKED_BY], sql->column[ROLE_STATUS],
        sql->state[STATE_DELIVERING]);
}

/* The bound. */
static void add_oldest_lease(struct builder *sql)
{
    add_delivering(sql);
    add_order(sql);
    ADD(sql, " LIMIT 1");
}

/* Lease in microseconds, prefix of our owners twice, foreign lease in microseconds. */
static void add_is_expired(struct builder *sql)
{
    const char *at = sql->column[ROLE_LOCKED_AT], *by = sql->column[ROLE_LOCKED_BY];
    ADD(sql,
        " AND t.%s < NOW(6) - INTERVAL ? MICROSECOND AND (LEFT(t.%s, CHAR_LENGTH(?)) = ?"
        " OR t.%s < NOW(6) - INTERVAL ? MICROSECOND)",
        at, by, at);
}

/* The bound, what add_is_expired() wants, how many. */
static void add_expired(struct builder *sql)
{
    add_delivering(sql);
    add_is_expired(sql);
    add_order(sql);
    ADD(sql, " LIMIT ?");
}

static void add_lease_error(struct builder *sql)
{
    const struct column *column = &sql->table->columns[ROLE_LAST_ERROR];
    ADD(sql,
        ", t.%s = LEFT(CONCAT('lease expired: claimed by ', COALESCE(t.%s, 'an unnamed relay'),"
        " ' at ', t.%s), %llu)",
        sql->column[ROLE_LAST_ERROR], sql->column[ROLE_LOCKED_BY], sql->column[ROLE_LOCKED_AT],
        (unsigned long long)(column->max_chars < 1000 ? column->max_chars : 1000));
}

/* Keys, what add_is_expired() wants, attempts allowed. */
static void add_reaped(struct builder *sql, const char *state, const char *comparison)
{
    add_charged(sql, "1");
    add_lease_error(sql);
    add_unlocked(sql);
    add_touched(sql);
    add_keys(sql);
    ADD(sql, " AND t.%s = %s", sql->column[ROLE_STATUS], state);
    add_is_expired(sql);
    ADD(sql, " AND t.%s %s ? - 1", sql->column[ROLE_ATTEMPTS], comparison);
}

static void add_reap_dead(struct builder *sql)
{
    ADD(sql, "UPDATE %s AS t SET t.%s = %s", sql->name, sql->column[ROLE_STATUS],
        sql->state[STATE_DEAD]);
    add_reaped(sql, sql->state[STATE_DELIVERING], ">=");
}

/* Base delay and greatest delay in microseconds, then as above. */
static void add_reap_returned(struct builder *sql)
{
    ADD(sql, "UPDATE %s AS t SET t.%s = %s", sql->name, sql->column[ROLE_STATUS],
        sql->state[STATE_PENDING]);
    if (has(sql, ROLE_AVAILABLE_AT))
        ADD(sql,
            ", t.%s = LEAST(NOW(6) + INTERVAL CAST(LEAST(? * POW(2, LEAST(GREATEST(t.%s, 0), 62)),"
            " ?) AS SIGNED) MICROSECOND, %s)",
            sql->column[ROLE_AVAILABLE_AT], sql->column[ROLE_ATTEMPTS], LAST_TIMESTAMP);
    add_reaped(sql, sql->state[STATE_DELIVERING], "<");
}

/* ---- Producing and looking ---------------------------------------------------------------- */

static void add_insert_column(struct builder *sql, enum role role)
{
    if (has(sql, role))
        ADD(sql, ", %s", sql->column[role]);
}

/* Of each row: id, type, payload, then those there are of headers, available_at, partition_key,
 * ordering_key, aggregate_type, aggregate_id. */
static void add_enqueue(struct builder *sql)
{
    static const enum role texts[] = {ROLE_PARTITION_KEY, ROLE_ORDERING_KEY, ROLE_AGGREGATE_TYPE,
                                      ROLE_AGGREGATE_ID};
    enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };
    ADD(sql, "INSERT INTO %s (%s, %s, %s, %s", sql->name, sql->column[ROLE_EVENT_ID],
        sql->column[ROLE_EVENT_TYPE], sql->column[ROLE_PAYLOAD], sql->column[ROLE_STATUS]);
    add_insert_column(sql, ROLE_HEADERS);
    add_insert_column(sql, ROLE_AVAILABLE_AT);
    for (int i = 0; i < TEXTS; i++)
        add_insert_column(sql, texts[i]);
    add_insert_column(sql, ROLE_CREATED_AT);
    add_insert_column(sql, ROLE_UPDATED_AT);
    ADD(sql, ") VALUES ");
    for (size_t row = 0; row < sql->count; row++) {
        ADD(sql, "%s(?, ?, ?, %s", row > 0 ? ", " : "", sql->state[STATE_PENDING]);
        if (has(sql, ROLE_HEADERS))
            ADD(sql, ", COALESCE(?, '{}')");
        if (has(sql, ROLE_AVAILABLE_AT))
            ADD(sql, ", COALESCE(FROM_UNIXTIME(CAST(? AS SIGNED) * 0.000001), NOW(6))");
        for (int i = 0; i < TEXTS; i++)
            if (has(sql, texts[i]))
                ADD(sql, ", ?");
        if (has(sql, ROLE_CREATED_AT))
            ADD(sql, ", NOW(6)");
        if (has(sql, ROLE_UPDATED_AT))
            ADD(sql, ", NOW(6)");
        ADD(sql, ")");
    }
}

/* A count that stops one row beyond the cap. */
static void add_count(struct builder *sql, enum state state, const char *comparison)
{
    if (!sql->state[state] || (!sql->table->claim_index && state != STATE_PENDING)) {
        ADD(sql, "NULL");
        return;
    }
    ADD(sql, "(SELECT COUNT(*) FROM (SELECT 1 FROM %s AS t", sql->name);
    add_forced(sql);
    ADD(sql, " WHERE t.%s = %s", sql->column[ROLE_STATUS], sql->state[state]);
    if (comparison && has(sql, ROLE_AVAILABLE_AT))
        ADD(sql, " AND t.%s %s NOW(6)", sql->column[ROLE_AVAILABLE_AT], comparison);
    ADD(sql, " LIMIT %d) AS c)", STATS_CAP + 1);
}

/* Due, scheduled, delivering, dead, microseconds since the oldest due one became so. */
static void add_stats(struct builder *sql)
{
    enum role since = has(sql, ROLE_AVAILABLE_AT) ? ROLE_AVAILABLE_AT : ROLE_CREATED_AT;
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
    ADD(sql, ", (SELECT TIMESTAMPDIFF(MICROSECOND, t.%s, NOW(6)) FROM %s AS t", sql->column[since],
        sql->name);
    add_forced(sql);
    ADD(sql, " WHERE ");
    add_due(sql);
    add_order(sql);
    ADD(sql, " LIMIT 1)");
}

static void add_small_stats(struct builder *sql)
{
    const char *status = sql->column[ROLE_STATUS];
    ADD(sql, "SELECT COUNT(CASE WHEN %s = %s THEN 1 END), COUNT(CASE WHEN %s = %s THEN 1 END)",
        status, sql->state[STATE_DELIVERED], status, sql->state[STATE_DEAD]);
    ADD(sql, ", COUNT(CASE WHEN %s = %s THEN 1 END) FROM %s", status,
        sql->state[STATE_DELIVERING] ? sql->state[STATE_DELIVERING] : "NULL", sql->name);
}

char *sql_text(enum statement statement, size_t count, const struct outbox_store *store,
               const struct table *table)
{
    typedef void add_statement(struct builder * sql);
    static add_statement *const builders[STATEMENT_COUNT] = {
        [STATEMENT_CLAIM] = add_claim,
        [STATEMENT_CLAIM_FIRST] = add_claim_first,
        [STATEMENT_LOOK] = add_look,
        [STATEMENT_LEASE] = add_lease,
        [STATEMENT_DELIVERED] = add_delivered,
        [STATEMENT_MIXED] = add_mixed,
        [STATEMENT_LEASES_OF] = add_leases_of,
        [STATEMENT_RENEW] = add_renew,
        [STATEMENT_OLDEST_LEASE] = add_oldest_lease,
        [STATEMENT_EXPIRED] = add_expired,
        [STATEMENT_REAP_DEAD] = add_reap_dead,
        [STATEMENT_REAP_RETURNED] = add_reap_returned,
        [STATEMENT_ENQUEUE] = add_enqueue,
        [STATEMENT_STATS] = add_stats,
        [STATEMENT_SMALL_STATS] = add_small_stats,
        [STATEMENT_OLD_DELIVERED] = add_old_delivered,
        [STATEMENT_OLD_DEAD] = add_old_dead,
        [STATEMENT_LOCK_DELIVERED] = add_lock_delivered,
        [STATEMENT_LOCK_DEAD] = add_lock_dead,
        [STATEMENT_DELETE] = add_delete,
        [STATEMENT_COUNT_OLD] = add_count_old,
    };
    struct builder sql = {.store = store,
                          .table = table,
                          .name = store->names.table,
                          .column = (const char *const *)store->names.quoted,
                          .state = store->layout->state,
                          .count = count,
                          .lease = is_lease(store)};
    builders[statement](&sql);
    return buffer_take(&sql.out);
}
