/*
 * sql_settle.c - the statements that apply outcomes, renew leases and end them
 * SPDX-License-Identifier: MIT
 *
 * An UPDATE assigns from left to right and later assignments see what earlier ones wrote: whatever
 * reads a column stands before what changes it.
 */
#include "sql.h"

/* ---- Settling ----------------------------------------------------------------------------- */

/* `table` stands before its columns: "t." or "". */
static void add_still_ours(struct builder *sql, const char *table)
{
    if (sql->lease)
        ADD(sql, " AND %s%s = ? AND %s%s = %s", table, sql->column[ROLE_LOCKED_BY], table,
            sql->column[ROLE_STATUS], sql->state[STATE_DELIVERING]);
}

static void add_unlocked(struct builder *sql)
{
    if (has(sql, ROLE_LOCKED_BY))
        ADD(sql, ", t.%s = NULL", sql->column[ROLE_LOCKED_BY]);
    if (has(sql, ROLE_LOCKED_AT))
        ADD(sql, ", t.%s = NULL", sql->column[ROLE_LOCKED_AT]);
}

/* How a key travels in JSON: its type there, and the expression that makes it a key again. */
struct json_key {
    char type[64], expression[200];
};

static struct json_key json_key(const struct builder *sql)
{
    const struct column *key = &sql->table->columns[sql->table->key];
    struct json_key json = {"", "s.k"};
    unsigned long long chars = key->max_chars > 0 ? key->max_chars : 36; /* of a UUID */
    switch (key->kind) {
    case KIND_INTEGER:
        (void)snprintf(json.type, sizeof(json.type), "BIGINT");
        break;
    case KIND_UNSIGNED:
        (void)snprintf(json.type, sizeof(json.type), "BIGINT UNSIGNED");
        break;
    case KIND_UUID_BYTES:
        (void)snprintf(json.type, sizeof(json.type), "CHAR(32)");
        (void)snprintf(json.expression, sizeof(json.expression), "UNHEX(s.k)");
        break;
    default:
        (void)snprintf(json.type, sizeof(json.type), "VARCHAR(%llu) CHARACTER SET utf8mb4",
                       chars < INDEX_MAX ? chars : INDEX_MAX);
        if (key->charset[0])
            (void)snprintf(json.expression, sizeof(json.expression),
                           "CONVERT(s.k USING %s) COLLATE %s", key->charset, key->collation);
    }
    return json;
}

static void add_update(struct builder *sql)
{
    ADD(sql, "UPDATE ");
    add_by_key(sql);
    ADD(sql, " SET ");
}

/* The table behind a list of keys, which stands first, so that rows are changed in its order. */
static void add_joined(struct builder *sql, const struct json_key *key)
{
    ADD(sql, " STRAIGHT_JOIN ");
    add_by_key(sql);
    ADD(sql, " ON t.%s = %s", sql->column[sql->table->key], key->expression);
}

static void add_span(struct builder *sql)
{
    ADD(sql, " WHERE TRUE");
    if (table_has_span(sql->table))
        ADD(sql, " AND t.%s BETWEEN ? AND ?", sql->column[ROLE_CREATED_TS]);
}

/* A DELETE of one table takes no FORCE INDEX. MariaDB looks up keys one by one where updates have
 * to be safe, MySQL where a hint names the index; each reads over what is for the other. */
static void add_deletion_in(struct builder *sql)
{
    ADD(sql,
        "/*M! SET STATEMENT sql_safe_updates = 1 FOR */ DELETE /*+ INDEX(%s %s) */ FROM %s WHERE "
        "%s IN (?",
        sql->store->names.bare_table, sql->table->key_index, sql->name,
        sql->column[sql->table->key]);
    for (size_t i = 1; i < sql->count; i++)
        ADD(sql, ",?");
    ADD(sql, ")");
}

void add_deletion(struct builder *sql)
{
    if (sql->table->deletes_in) {
        add_deletion_in(sql);
        return;
    }
    struct json_key key = json_key(sql);
    bool has_span = table_has_span(sql->table);
    ADD(sql, "DELETE t FROM JSON_TABLE(?, '$[*]' COLUMNS (k %s PATH '$.k'%s)) AS s", key.type,
        has_span ? ", t BIGINT PATH '$.t'" : "");
    add_joined(sql, &key);
    if (has_span)
        ADD(sql, " AND t.%s = s.t", sql->column[ROLE_CREATED_TS]);
    add_span(sql);
}

/* Token, keys. The rows are locked by this transaction. */
void add_lease(struct builder *sql)
{
    add_update(sql);
    ADD(sql, "t.%s = %s, t.%s = ?, t.%s = NOW(6)", sql->column[ROLE_STATUS],
        sql->state[STATE_DELIVERING], sql->column[ROLE_LOCKED_BY], sql->column[ROLE_LOCKED_AT]);
    add_touched(sql);
    add_keys(sql);
}

/* Keys, and in mode lease the token. */
void add_delivered(struct builder *sql)
{
    if (sql->store->settings.delete_delivered) {
        add_deletion(sql);
        add_still_ours(sql, sql->table->deletes_in ? "" : "t.");
        return;
    }
    add_update(sql);
    ADD(sql, "t.%s = %s", sql->column[ROLE_STATUS], sql->state[STATE_DELIVERED]);
    if (has(sql, ROLE_DELIVERED_AT))
        ADD(sql, ", t.%s = NOW(6)", sql->column[ROLE_DELIVERED_AT]);
    add_unlocked(sql);
    add_touched(sql);
    add_keys(sql);
    add_still_ours(sql, "t.");
}

/* A producer may leave it NULL, where the column allows that. */
static void add_attempts(struct builder *sql)
{
    ADD(sql, "COALESCE(t.%s, 0)", sql->column[ROLE_ATTEMPTS]);
}

/* A row that is at the end of its column's range must not fail the statement for all others. */
static void add_charged(struct builder *sql, const char *comma, const char *charge)
{
    const char *attempts = sql->column[ROLE_ATTEMPTS];
    ADD(sql, "%st.%s = CASE WHEN ", comma, attempts);
    add_attempts(sql);
    ADD(sql, " < %lld THEN ", (long long)sql->table->columns[ROLE_ATTEMPTS].greatest);
    add_attempts(sql);
    ADD(sql, " + %s ELSE t.%s END", charge, attempts);
}

/* NULL leaves it as it is. outcome.c has seen to it that the column's character set has all of it.
 */
static void add_error(struct builder *sql, const char *comma)
{
    const struct column *column = &sql->table->columns[ROLE_LAST_ERROR];
    const char *name = sql->column[ROLE_LAST_ERROR];
    if (column->charset[0])
        ADD(sql, "%st.%s = COALESCE(CONVERT(s.e USING %s) COLLATE %s, t.%s)", comma, name,
            column->charset, column->collation, name);
    else
        ADD(sql, "%st.%s = COALESCE(s.e, t.%s)", comma, name, name);
}

/* What a failure changes, of the columns that there are; never nothing. */
static void add_failure(struct builder *sql)
{
    const char *status = sql->column[ROLE_STATUS], *available = sql->column[ROLE_AVAILABLE_AT];
    const char *comma = "";
    if (sql->state[STATE_DEAD]) {
        ADD(sql, "t.%s = CASE s.v WHEN %d THEN %s ELSE %s END", status, OUTBOX_SETTLE_DEAD,
            sql->state[STATE_DEAD], sql->state[STATE_PENDING]);
        comma = ", ";
    }
    if (has(sql, ROLE_ATTEMPTS)) {
        add_charged(sql, comma, "s.c");
        comma = ", ";
    }
    if (has(sql, ROLE_AVAILABLE_AT)) {
        ADD(sql,
            "%st.%s = CASE s.v WHEN %d THEN LEAST(NOW(6) + INTERVAL s.d MICROSECOND, %s) ELSE "
            "t.%s END",
            comma, available, OUTBOX_SETTLE_RETRY, LAST_TIMESTAMP, available);
        comma = ", ";
    }
    if (has(sql, ROLE_LAST_ERROR))
        add_error(sql, comma);
}

/* Outcomes as JSON, the span of created_ts if there is one, and in mode lease the token. */
void add_mixed(struct builder *sql)
{
    struct json_key key = json_key(sql);
    ADD(sql,
        "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (k %s PATH '$.k', v INT PATH '$.v',"
        " d BIGINT PATH '$.d', c INT PATH '$.c', e TEXT CHARACTER SET utf8mb4 PATH '$.e')) AS s",
        key.type);
    add_joined(sql, &key);
    ADD(sql, " SET ");
    add_failure(sql);
    add_unlocked(sql);
    add_touched(sql);
    add_span(sql);
    add_still_ours(sql, "t.");
}

/* ---- Leases ------------------------------------------------------------------------------- */

static void add_delivering(struct builder *sql)
{
    add_found(sql);
    ADD(sql, " WHERE ");
    add_is(sql, STATE_DELIVERING);
    add_bound(sql, false);
}

/* The bound, the token. */
void add_leases_of(struct builder *sql)
{
    add_delivering(sql);
    ADD(sql, " AND t.%s = ?", sql->column[ROLE_LOCKED_BY]);
}

/* Keys, the token. */
void add_renew(struct builder *sql)
{
    add_update(sql);
    ADD(sql, "t.%s = NOW(6)", sql->column[ROLE_LOCKED_AT]);
    add_touched(sql);
    add_keys(sql);
    ADD(sql, " AND t.%s = ? AND t.%s = %s", sql->column[ROLE_LOCKED_BY], sql->column[ROLE_STATUS],
        sql->state[STATE_DELIVERING]);
}

/* The bound. */
void add_oldest_lease(struct builder *sql)
{
    add_delivering(sql);
    add_order(sql, 't');
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
void add_expired(struct builder *sql)
{
    add_delivering(sql);
    add_is_expired(sql);
    add_order(sql, 't');
    ADD(sql, " LIMIT ?");
}

static void add_lease_error(struct builder *sql)
{
    const struct column *column = &sql->table->columns[ROLE_LAST_ERROR];
    if (!has(sql, ROLE_LAST_ERROR))
        return;
    ADD(sql,
        ", t.%s = LEFT(CONCAT('lease expired: claimed by ', COALESCE(t.%s, 'an unnamed relay'),"
        " ' at ', t.%s), %llu)",
        sql->column[ROLE_LAST_ERROR], sql->column[ROLE_LOCKED_BY], sql->column[ROLE_LOCKED_AT],
        (unsigned long long)(column->max_chars < 1000 ? column->max_chars : 1000));
}

/* Keys, what add_is_expired() wants, attempts allowed. */
static void add_reaped(struct builder *sql, const char *state, const char *comparison)
{
    add_charged(sql, ", ", "1");
    add_lease_error(sql);
    add_unlocked(sql);
    add_touched(sql);
    add_keys(sql);
    ADD(sql, " AND t.%s = %s", sql->column[ROLE_STATUS], state);
    add_is_expired(sql);
    ADD(sql, " AND ");
    add_attempts(sql);
    ADD(sql, " %s ? - 1", comparison);
}

void add_reap_dead(struct builder *sql)
{
    add_update(sql);
    ADD(sql, "t.%s = %s", sql->column[ROLE_STATUS], sql->state[STATE_DEAD]);
    add_reaped(sql, sql->state[STATE_DELIVERING], ">=");
}

/* Base delay and greatest delay in microseconds, then as above. */
void add_reap_returned(struct builder *sql)
{
    add_update(sql);
    ADD(sql, "t.%s = %s", sql->column[ROLE_STATUS], sql->state[STATE_PENDING]);
    if (has(sql, ROLE_AVAILABLE_AT)) {
        ADD(sql, ", t.%s = LEAST(NOW(6) + INTERVAL CAST(LEAST(? * POW(2, LEAST(GREATEST(",
            sql->column[ROLE_AVAILABLE_AT]);
        add_attempts(sql);
        ADD(sql, ", 0), 62)), ?) AS SIGNED) MICROSECOND, %s)", LAST_TIMESTAMP);
    }
    add_reaped(sql, sql->state[STATE_DELIVERING], "<");
}
