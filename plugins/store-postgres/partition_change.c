/*
 * partition_change.c - makes a partition and drops one, with as little waiting as can be
 * SPDX-License-Identifier: MIT
 *
 * A claim or an insert locks the table first and its partitions after it, so whoever locks in
 * another order would wait in a ring. Everybody who comes after one that waits for a lock waits as
 * well, so each wait is short, and there are several.
 */
#include "partitions.h"
#include "sql.h"

#include <stdlib.h>
#include <time.h>

/* Milliseconds: for a lock, several times; for a statement that holds it; for this relay to say
 * what becomes of the locks that it holds. */
#define LIMITS                                                                                     \
    "SELECT set_config('lock_timeout', '120', true), set_config('statement_timeout', '3000', "     \
    "true), set_config('idle_in_transaction_session_timeout', '5000', true)"

/* Up to that size every row is looked at under the lock, not only an index. */
#define SMALL (INT64_C(64) << 20)

/* ---- Failures ----------------------------------------------------------------------------- */

static const struct {
    const char *sqlstate;
    enum partition_outcome outcome;
    const char *words; /* NULL: the server's own */
} meanings[] = {
    {"55P03", PARTITION_BUSY, "busy: others hold the table, and were not to wait for this"},
    {"40P01", PARTITION_BUSY, "busy: others hold the table, and were not to wait for this"},
    {"57014", PARTITION_BUSY, "busy: looking through it under a lock takes longer than 3 seconds"},
    {"42P07", PARTITION_RACED, NULL},
    {"42P17", PARTITION_RACED, NULL}, /* overlaps another one */
    {"42P01", PARTITION_RACED, NULL},
    {"23514", PARTITION_IN_USE, NULL}, /* the DEFAULT one, which is named, holds events of it */
    {"2BP01", PARTITION_IN_USE, NULL}, /* something depends on it */
    {"55006", PARTITION_IN_USE, NULL},
    {"42809", PARTITION_IN_USE, NULL}, /* a foreign table */
};

static struct partition_change judge(struct outbox_session *session, enum outbox_status status,
                                     struct outbox_error *error)
{
    struct partition_change change = {PARTITION_FAILED, status, 0};
    if (status == OUTBOX_OK)
        change.outcome = PARTITION_DONE;
    if (status == OUTBOX_OK || status == OUTBOX_UNAVAILABLE || status == OUTBOX_INTERRUPTED)
        return change;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (strcmp(error->native, meanings[i].sqlstate) != 0)
            continue;
        change.outcome = meanings[i].outcome;
        if (meanings[i].words)
            (void)outbox_fail(error, status, meanings[i].sqlstate, "%s", meanings[i].words);
        return change;
    }
    if (status == OUTBOX_DENIED)
        (void)outbox_fail(error, status, "42501",
                          "change the partitions of %s: that takes the right to CREATE in its "
                          "schema and a table that %s owns: GRANT the owner's role to it, or do it "
                          "as the owner",
                          session->store->names.table, session->table.user);
    return change;
}

static struct partition_change out_of_memory(struct outbox_error *error)
{
    return (struct partition_change){PARTITION_FAILED, failure_of_memory(error), 0};
}

/* ---- Creating ----------------------------------------------------------------------------- */

static void add_bound(struct buffer *sql, const struct partition_set *set, int64_t instant)
{
    int64_t seconds = instant / 1000000 - (instant % 1000000 < 0);
    if (set->by_seconds) {
        buffer_text(sql, "%lld", (long long)seconds);
        return;
    }
    char text[40] = "";
    struct tm tm;
    time_t time = (time_t)seconds;
    if (!gmtime_r(&time, &tm) || strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
        sql->failed = true;
    buffer_text(sql, "'%s.%06d+00'", text, (int)(instant - seconds * 1000000));
}

static char *table_sql(const struct outbox_session *session, const char *table)
{
    struct buffer sql = {0};
    buffer_text(&sql,
                "CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS"
                " INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION)%s",
                table, session->store->names.table, ddl_storage);
    return buffer_take(&sql);
}

/* Unlike CREATE TABLE ... PARTITION OF, this lets claims and inserts go on meanwhile. */
static char *attach_sql(const struct outbox_session *session, const struct partition_set *set,
                        struct stretch stretch, const char *table)
{
    struct buffer sql = {0};
    buffer_text(&sql, "ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (",
                session->store->names.table, table);
    add_bound(&sql, set, stretch.from);
    buffer_text(&sql, ") TO (");
    add_bound(&sql, set, stretch.until);
    buffer_text(&sql, ")");
    return buffer_take(&sql);
}

static char *quoted_table(const struct partition_set *set, const char *name)
{
    char *relation = quote_identifier(name, strlen(name));
    struct buffer quoted = {0};
    if (!relation)
        return NULL;
    buffer_text(&quoted, "%s.%s", set->schema, relation);
    free(relation);
    return buffer_take(&quoted);
}

struct partition_change partition_create(struct outbox_session *session,
                                         const struct partition_set *set, struct stretch stretch,
                                         const char *name, struct outbox_error *error)
{
    struct partition_change change = out_of_memory(error);
    char *table = quoted_table(set, name);
    char *create = table ? table_sql(session, table) : NULL;
    char *attach = table ? attach_sql(session, set, stretch, table) : NULL;
    unsigned tries = 0;
    while (create && attach) {
        exchange_start(session);
        exchange_text(session, LIMITS);
        exchange_text(session, create);
        exchange_text(session, attach);
        change = judge(session, exchange_run(session, "create a partition of", error), error);
        if (change.outcome == PARTITION_DONE || !exchange_again(session, tries++))
            break;
    }
    free(table);
    free(create);
    free(attach);
    return change;
}

/* ---- Looking ------------------------------------------------------------------------------ */

static char *unfinished_sql(const struct outbox_session *session, const char *table)
{
    struct builder sql = {.store = session->store,
                          .table = &session->table,
                          .column = (const char *const *)session->store->names.quoted};
    ADD(&sql, "SELECT count(*) FROM (SELECT FROM %s WHERE (", table);
    sql_is(&sql, STATE_DELIVERED);
    ADD(&sql, " OR ");
    sql_is(&sql, STATE_DEAD);
    ADD(&sql, ") IS NOT TRUE LIMIT %d) s", PARTITION_EVENTS_MAX);
    return buffer_take(&sql.out);
}

/* The same by the indexes that claiming and ending leases have anyway. It finds the states that a
 * relay gives an event and, unlike the other, no value of another kind. */
static char *unfinished_by_index_sql(const struct outbox_session *session, const char *table)
{
    struct builder sql = {.store = session->store,
                          .table = &session->table,
                          .column = (const char *const *)session->store->names.quoted};
    ADD(&sql, "SELECT count(*) FROM ((SELECT 1 FROM %s WHERE ", table);
    sql_is(&sql, STATE_PENDING);
    ADD(&sql, " LIMIT %d) UNION ALL (SELECT 1 FROM %s WHERE ", PARTITION_EVENTS_MAX, table);
    sql_is(&sql, STATE_DELIVERING);
    ADD(&sql, " LIMIT %d)) s", PARTITION_EVENTS_MAX);
    return buffer_take(&sql.out);
}

static int64_t count_of(struct outbox_session *session, size_t place)
{
    return strtoll(PQgetvalue(exchange_result(session, place), 0, 0), NULL, 10);
}

/* May take its time, and be interrupted; waits only for a lock that keeps out even readers. */
static struct partition_change look(struct outbox_session *session, char *sql,
                                    struct outbox_error *error)
{
    if (!sql)
        return out_of_memory(error);
    session->exchange.endless = true;
    exchange_start(session);
    exchange_text(session, LIMITS);
    exchange_unlimited(session);
    size_t place = exchange_text(session, sql);
    struct partition_change change =
        judge(session, exchange_run(session, "look into a partition of", error), error);
    session->exchange.endless = false;
    if (change.outcome == PARTITION_DONE)
        change.events = count_of(session, place);
    if (change.events > 0)
        change.outcome = PARTITION_IN_USE;
    free(sql);
    return change;
}

struct partition_change partition_look(struct outbox_session *session,
                                       const struct partition_set *set, size_t index,
                                       struct outbox_error *error)
{
    return look(session, unfinished_sql(session, partition_table(set, index)), error);
}

struct partition_change partition_look_into_default(struct outbox_session *session,
                                                    const struct partition_set *set,
                                                    struct stretch stretch,
                                                    struct outbox_error *error)
{
    struct buffer sql = {0};
    buffer_text(&sql, "SELECT count(*) FROM (SELECT FROM %s WHERE %s >= ", set->default_table,
                set->key);
    add_bound(&sql, set, stretch.from);
    buffer_text(&sql, " AND %s < ", set->key);
    add_bound(&sql, set, stretch.until);
    buffer_text(&sql, " LIMIT %d) s", PARTITION_EVENTS_MAX);
    return look(session, buffer_take(&sql), error);
}

/* ---- Dropping ----------------------------------------------------------------------------- */

static bool has_indexes(const struct outbox_session *session)
{
    const struct table *table = &session->table;
    bool has_leases = states_have(&session->store->states, STATE_DELIVERING);
    return table->claim_index && (table->lease_index || !has_leases);
}

static void queue_lock(struct outbox_session *session, const char *only, const char *table)
{
    struct buffer sql = {0};
    buffer_text(&sql, "LOCK TABLE %s%s IN ACCESS EXCLUSIVE MODE", only, table);
    char *text = buffer_take(&sql);
    if (text)
        exchange_text(session, text);
    else
        session->exchange.refused = OUTBOX_INTERNAL;
    free(text);
}

/* Whoever detached it meanwhile wants to keep it. */
static size_t queue_identity(struct outbox_session *session, const struct partition_set *set,
                             size_t index)
{
    return exchange_query(
        session,
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = $1::oid"
        " AND inhrelid = pg_catalog.to_regclass($2) AND inhparent = pg_catalog.to_regclass($3))",
        (const char *[]){partition_oid(set, index), partition_table(set, index),
                         session->store->names.table},
        3);
}

/* Leaves the transaction open if there is nothing against dropping it. */
static struct partition_change lock_and_prove(struct outbox_session *session,
                                              const struct partition_set *set, size_t index,
                                              struct outbox_error *error)
{
    bool by_index = partition_bytes(set, index) > SMALL && has_indexes(session);
    const char *table = partition_table(set, index);
    char *proof =
        by_index ? unfinished_by_index_sql(session, table) : unfinished_sql(session, table);
    if (!proof)
        return out_of_memory(error);
    exchange_start(session);
    exchange_text(session, "BEGIN");
    exchange_text(session, LIMITS);
    if (!by_index)
        exchange_text(session, "SELECT set_config('enable_seqscan', 'on', true)");
    queue_lock(session, "ONLY ", session->store->names.table);
    queue_lock(session, "", table);
    size_t identity_at = queue_identity(session, set, index);
    size_t proof_at = exchange_text(session, proof);
    free(proof);
    struct partition_change change =
        judge(session, exchange_run(session, "drop a partition of", error), error);
    if (change.outcome != PARTITION_DONE)
        return change;
    change.events = count_of(session, proof_at);
    if (PQgetvalue(exchange_result(session, identity_at), 0, 0)[0] != 't')
        change.outcome = PARTITION_RACED;
    else if (change.events > 0)
        change.outcome = PARTITION_IN_USE;
    return change;
}

static struct partition_change drop_locked(struct outbox_session *session,
                                           const struct partition_set *set, size_t index,
                                           struct outbox_error *error)
{
    struct buffer sql = {0};
    buffer_text(&sql, "DROP TABLE %s", partition_table(set, index));
    char *drop = buffer_take(&sql);
    if (!drop) {
        (void)!exchange_rollback(session, error);
        return out_of_memory(error);
    }
    exchange_start(session);
    exchange_text(session, drop);
    exchange_text(session, "COMMIT");
    free(drop);
    return judge(session, exchange_run(session, "drop a partition of", error), error);
}

struct partition_change partition_drop(struct outbox_session *session,
                                       const struct partition_set *set, size_t index,
                                       struct outbox_error *error)
{
    unsigned tries = 0;
    struct partition_change change;
    do
        change = lock_and_prove(session, set, index, error);
    while (change.outcome == PARTITION_BUSY && exchange_again(session, tries++));
    if (change.outcome == PARTITION_DONE)
        return drop_locked(session, set, index, error);
    enum outbox_status status = exchange_rollback(session, error);
    if (status != OUTBOX_OK)
        change = (struct partition_change){PARTITION_FAILED, status, 0};
    return change;
}
