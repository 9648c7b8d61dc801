/*
 * sql_claim.c - the statements that find and lock pending events
 * SPDX-License-Identifier: MIT
 *
 * A locking read of the claim index would come across rows that a producer has not committed, and
 * make the lock on them explicit. At REPEATABLE READ such a lock is handed on to the gap beside it
 * when a page is split, and whoever writes there waits until the producer ends. So candidates are
 * read without a lock, which shows what is committed and nothing else, and only they are locked,
 * each by its key. A derived table is read without a lock even where the rest of its statement
 * locks, so both are one statement.
 */
#include "sql.h"

/* ---- What a claim reads ------------------------------------------------------------------- */

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

/* Whether a candidate is known by it: its key and its place in the order of claims. */
static bool of_candidate(const struct builder *sql, enum role role)
{
    const struct table *table = sql->table;
    return role == table->key || role == table->key_second || role == table->tie ||
           (role == ROLE_AVAILABLE_AT && has(sql, role));
}

/* What has no text of its own is asked for as the text that the server makes of it. */
static void add_field(struct builder *sql, enum role role)
{
    const char *name = sql->column[role];
    enum kind kind = sql->table->columns[role].kind;
    char alias = sql->table->locks_by_key && of_candidate(sql, role) ? 'c' : 't';
    bool number = kind == KIND_INTEGER || kind == KIND_UNSIGNED;
    bool as_text = kind == KIND_OTHER || (kind == KIND_INSTANT && !is_clock(role)) ||
                   (number && role != ROLE_EVENT_ID && role != ROLE_SEQ && role != ROLE_ATTEMPTS &&
                    role != ROLE_CREATED_TS);
    if (role == ROLE_PAYLOAD)
        ADD(sql, "CASE WHEN LENGTH(t.%s) <= ? THEN t.%s END", name, name);
    else if (as_text)
        ADD(sql, "CAST(%c.%s AS CHAR)", alias, name);
    else
        ADD(sql, "%c.%s", alias, name);
}

static void add_utc(struct builder *sql, enum role role)
{
    if (has(sql, role))
        ADD(sql, ", CONVERT_TZ(t.%s, @@session.time_zone, '+00:00')", sql->column[role]);
    else
        ADD(sql, ", NULL");
}

/* Greatest payload. */
static void add_event(struct builder *sql)
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
    if (sql->table->locks_by_key)
        ADD(sql, ", t.%s IS NOT NULL", sql->column[sql->table->key]);
    else
        ADD(sql, ", TRUE");
    if (sql->table->local_time) {
        add_utc(sql, ROLE_CREATED_AT);
        add_utc(sql, ROLE_AVAILABLE_AT);
    }
}

/* ---- Which rows --------------------------------------------------------------------------- */

/* Older partitions are not even opened. */
static void add_window(struct builder *sql)
{
    long long seconds = (long long)sql->store->settings.partition_window;
    if (sql->table->window == ROLE_CREATED_TS)
        ADD(sql, " AND t.%s >= UNIX_TIMESTAMP() - %lld", sql->column[ROLE_CREATED_TS], seconds);
    else if (sql->table->window == ROLE_CREATED_AT)
        ADD(sql, " AND t.%s >= NOW(6) - INTERVAL %lld SECOND", sql->column[ROLE_CREATED_AT],
            seconds);
}

/* What is held back; a list has at least two members. Said so that the server compares each row
 * with a sorted list of its own, instead of making a stretch of the index between any two. */
static void add_not_held(struct builder *sql)
{
    if (sql->count < 2)
        return;
    ADD(sql, " AND (t.%s IN (?", sql->column[sql->table->key]);
    for (size_t i = 1; i < sql->count; i++)
        ADD(sql, ",?");
    ADD(sql, ")) IS NOT TRUE");
}

/* What has no key could be published and never settled. */
static void add_can_be_settled(struct builder *sql)
{
    if (sql->table->columns[sql->table->key].nullable)
        ADD(sql, " AND t.%s IS NOT NULL", sql->column[sql->table->key]);
}

enum stretch { FROM_START, FROM_HERE, BEFORE_HERE };

/* FROM the table, the stretch of it in order; the bound unless it is from the start, then what is
 * held back. */
static void add_stretch(struct builder *sql, enum stretch stretch)
{
    ADD(sql, " FROM %s AS t", sql->name);
    add_forced(sql);
    ADD(sql, " WHERE ");
    add_due(sql);
    if (stretch != FROM_START)
        add_bound(sql, stretch == BEFORE_HERE);
    add_window(sql);
    add_can_be_settled(sql);
    add_not_held(sql);
    add_order(sql, 't');
}

/* FROM them; the parameters of the stretch, then how many. */
static void add_candidates(struct builder *sql, enum stretch stretch)
{
    const char *comma = "SELECT ";
    ADD(sql, " FROM (");
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (!of_candidate(sql, (enum role)role))
            continue;
        ADD(sql, "%st.%s", comma, sql->column[role]);
        comma = ", ";
    }
    add_stretch(sql, stretch);
    ADD(sql, " LIMIT ?) AS c");
}

/* The row of a candidate, if it still is one. */
static void add_its_row(struct builder *sql)
{
    const struct table *table = sql->table;
    const char *key = sql->column[table->key];
    add_by_key(sql);
    ADD(sql, " ON t.%s = c.%s AND ", key, key);
    if (table->key_second != ROLE_NONE)
        ADD(sql, "t.%s = c.%s AND ", sql->column[table->key_second],
            sql->column[table->key_second]);
    if (has(sql, ROLE_AVAILABLE_AT))
        ADD(sql, "t.%s = c.%s AND ", sql->column[ROLE_AVAILABLE_AT],
            sql->column[ROLE_AVAILABLE_AT]);
    add_due(sql);
}

/* ---- The statements ----------------------------------------------------------------------- */

/* The parameters of add_event(), those of the stretch, then how many. A candidate that is in other
 * hands comes without its row. */
static void add_claiming(struct builder *sql, enum stretch stretch)
{
    add_event(sql);
    if (!sql->table->locks_by_key) {
        add_stretch(sql, stretch);
        ADD(sql, " LIMIT ? FOR UPDATE SKIP LOCKED");
        return;
    }
    add_candidates(sql, stretch);
    ADD(sql, " LEFT JOIN ");
    add_its_row(sql);
    add_order(sql, 'c');
    ADD(sql, " FOR UPDATE SKIP LOCKED");
}

void add_claim(struct builder *sql)
{
    add_claiming(sql, FROM_HERE);
}

void add_claim_first(struct builder *sql)
{
    add_claiming(sql, FROM_START);
}

/* The parameters of the stretch, then how many: candidates, of which any may be in other hands. */
void add_look(struct builder *sql)
{
    add_place(sql);
    ADD(sql, ", NULL");
    add_stretch(sql, BEFORE_HERE);
    ADD(sql, " LIMIT ?");
}

/* The same, and the first of them that is free. It is locked, to tell a waiting event from one in
 * other hands; the candidates are joined in their order, so no other one is. */
void add_look_free(struct builder *sql)
{
    if (!sql->table->locks_by_key) {
        add_place(sql);
        ADD(sql, ", NULL");
        add_stretch(sql, BEFORE_HERE);
        ADD(sql, " LIMIT 1 FOR UPDATE SKIP LOCKED");
        return;
    }
    add_place(sql);
    ADD(sql, ", NULL");
    add_candidates(sql, BEFORE_HERE);
    ADD(sql, " STRAIGHT_JOIN ");
    add_its_row(sql);
    ADD(sql, " LIMIT 1 FOR UPDATE SKIP LOCKED");
}
