/*
 * schema.c - the table: printed, made, checked
 * SPDX-License-Identifier: MIT
 */
#include "failure.h"
#include "ops.h"
#include "plan.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static const char doing[] = "make the table";

#define CLOCK "strftime('%Y-%m-%d %H:%M:%f','now')"

/* 2006-01-02 15:04:05, with a fraction of up to three digits or none. */
#define IS_TIME(column)                                                                            \
    "length(" column ") BETWEEN 19 AND 23 AND " column " GLOB "                                    \
    "'[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]*' "               \
    "AND substr(" column ",20) NOT GLOB '*[^.0-9]*'"

/* No AUTOINCREMENT: a row number may come back once the last row was deleted, but among the rows
 * that are there a later row always has the higher one, and that is all that order needs;
 * AUTOINCREMENT would have every producer write to one more table. `status` and what else the relay
 * changes stands before headers and payload, so that reading it never follows a long payload
 * through its pages. The check of status is no IN (...): for that SQLite would fill a temporary
 * table for every row that changes, a quarter of the work. The check of available_at is there
 * because a time written otherwise ('T' for the blank, a number) would sort wrong and make an event
 * wait a day or for ever, without a word.
 */
static const char create_table[] =
    "CREATE TABLE {table} (\n"
    "    {seq} INTEGER PRIMARY KEY,\n"
    "    {event_id} TEXT NOT NULL UNIQUE,\n"
    "    {event_type} TEXT NOT NULL,\n"
    "    {partition_key} TEXT,\n"
    "    {ordering_key} TEXT,\n"
    "    {aggregate_type} TEXT,\n"
    "    {aggregate_id} TEXT,\n"
    "    {status} TEXT NOT NULL DEFAULT 'PENDING'\n"
    "        CHECK ({status}='PENDING' OR {status}='DELIVERING'\n"
    "            OR {status}='DELIVERED' OR {status}='DEAD'),\n"
    "    {attempts} INTEGER NOT NULL DEFAULT 0,\n"
    "    {available_at} TEXT NOT NULL DEFAULT (" CLOCK ")\n"
    "        CHECK (" IS_TIME("{available_at}") "),\n"
                                                "    {locked_by} TEXT,\n"
                                                "    {locked_at} TEXT,\n"
                                                "    {delivered_at} TEXT,\n"
                                                "    {created_at} TEXT NOT NULL DEFAULT (" CLOCK
                                                "),\n"
                                                "    {updated_at} TEXT NOT NULL DEFAULT (" CLOCK
                                                "),\n"
                                                "    {last_error} TEXT,\n"
                                                "    {headers} TEXT NOT NULL DEFAULT '{}',\n"
                                                "    {payload} BLOB NOT NULL\n"
                                                ")";

/* An index that a statement needs. */
struct index {
    enum statement user;
    const char *sql;
    const char *without; /* what is slow without it */
    bool implied;        /* a table that this driver makes has it anyway */
};

static const struct index indexes[] = {
    {STATEMENT_CLAIM,
     "CREATE INDEX IF NOT EXISTS {index:pending} ON {table} ({available_at}) "
     "WHERE {status}='PENDING'",
     "every claim reads the whole table", false},
    {STATEMENT_EXPIRED,
     "CREATE INDEX IF NOT EXISTS {index:delivering} ON {table} ({locked_at}) "
     "WHERE {status}='DELIVERING'",
     "looking for expired leases reads the whole table", false},
    {STATEMENT_COUNT_DEAD,
     "CREATE INDEX IF NOT EXISTS {index:dead} ON {table} ({updated_at}) WHERE {status}='DEAD'",
     "the number of dead events is not known", false},
    {STATEMENT_DELIVERED,
     "CREATE UNIQUE INDEX IF NOT EXISTS {index:event_id} ON {table} ({event_id})",
     "every claim and settle reads the whole table", true},
};

#define INDEX_COUNT (sizeof(indexes) / sizeof(indexes[0]))

/* Columns that a table made elsewhere lacks and that can be added to it. */
static const enum role addable[] = {ROLE_ORDERING_KEY, ROLE_AGGREGATE_TYPE, ROLE_AGGREGATE_ID};

#define ADDABLE_COUNT (sizeof(addable) / sizeof(addable[0]))

struct emitter {
    outbox_schema_line *emit;
    void *context;
};

static void emit_lines(const struct emitter *emitter, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        char line[512];
        (void)snprintf(line, sizeof(line), "%.*s%s", (int)len, text, text[len] ? "" : ";");
        emitter->emit(emitter->context, OUTBOX_LOG_INFO, line);
        text += len + (text[len] ? 1 : 0);
    }
}

#define finding(emitter, level, ...)                                                               \
    do {                                                                                           \
        char finding_line[512];                                                                    \
        (void)snprintf(finding_line, sizeof(finding_line), __VA_ARGS__);                           \
        (emitter)->emit((emitter)->context, (level), finding_line);                                \
    } while (0)

/* ---- PRINT -------------------------------------------------------------------------------- */

static enum outbox_status print_sql(struct outbox_store *store, const struct emitter *emitter,
                                    const char *pattern, struct outbox_error *error)
{
    char *sql = columns_sql(&store->columns, NULL, pattern);
    if (!sql)
        return failure_no_memory("print the schema", error);
    emit_lines(emitter, sql);
    free(sql);
    return OUTBOX_OK;
}

static enum outbox_status print(struct outbox_store *store, const struct emitter *emitter,
                                struct outbox_error *error)
{
    emit_lines(emitter, "PRAGMA journal_mode=WAL");
    enum outbox_status status = print_sql(store, emitter, create_table, error);
    for (size_t i = 0; i < INDEX_COUNT && status == OUTBOX_OK; i++) {
        if (!indexes[i].implied)
            status = print_sql(store, emitter, indexes[i].sql, error);
    }
    return status;
}

/* ---- APPLY -------------------------------------------------------------------------------- */

static enum outbox_status apply_sql(struct outbox_session *session, const struct emitter *emitter,
                                    const char *pattern, struct outbox_error *error)
{
    char *sql = columns_sql(&session->store->columns, NULL, pattern);
    if (!sql)
        return failure_no_memory(doing, error);
    enum outbox_status status = session_execute(session, sql, doing, error);
    if (status == OUTBOX_OK)
        emit_lines(emitter, sql);
    free(sql);
    return status;
}

static enum outbox_status add_columns(struct outbox_session *session, const struct emitter *emitter,
                                      struct outbox_error *error)
{
    enum outbox_status status = OUTBOX_OK;
    for (size_t i = 0; i < ADDABLE_COUNT && status == OUTBOX_OK; i++) {
        if (session->shape.has[addable[i]])
            continue;
        char pattern[128];
        (void)snprintf(pattern, sizeof(pattern), "ALTER TABLE {table} ADD COLUMN {%s} TEXT",
                       role_name(addable[i]));
        status = apply_sql(session, emitter, pattern, error);
    }
    return status;
}

static enum outbox_status add_indexes(struct outbox_session *session, const struct emitter *emitter,
                                      struct outbox_error *error)
{
    enum outbox_status status = OUTBOX_OK;
    for (size_t i = 0; i < INDEX_COUNT && status == OUTBOX_OK; i++) {
        bool there = false;
        status = plan_is_indexed(session, indexes[i].user, &there, error);
        if (status == OUTBOX_OK && !there)
            status = apply_sql(session, emitter, indexes[i].sql, error);
    }
    return status;
}

static enum outbox_status apply_in_transaction(struct outbox_session *session,
                                               const struct emitter *emitter,
                                               struct outbox_error *error)
{
    session->shape_known = false;
    enum outbox_status status = session_read_shape(session, error);
    if (status == OUTBOX_OK && !session->shape.exists)
        status = apply_sql(session, emitter, create_table, error);
    if (status == OUTBOX_OK)
        status = session_require_shape(session, error);
    if (status == OUTBOX_OK)
        status = add_columns(session, emitter, error);
    if (status == OUTBOX_OK)
        status = session_read_shape(session, error);
    if (status == OUTBOX_OK)
        status = add_indexes(session, emitter, error);
    return status;
}

static enum outbox_status apply(struct outbox_session *session, const struct emitter *emitter,
                                struct outbox_error *error)
{
    enum outbox_status status = session_ready(session, true, error);
    if (status == OUTBOX_OK)
        status = transaction_begin(session, doing, error);
    if (status != OUTBOX_OK)
        return status;
    status = apply_in_transaction(session, emitter, error);
    status = transaction_end(session, status, doing, error);
    if (status != OUTBOX_OK)
        session->shape_known = false; /* what was read of it has been rolled back */
    return status;
}

/* ---- CHECK -------------------------------------------------------------------------------- */

static void check_optional_columns(const struct outbox_session *session,
                                   const struct emitter *emitter)
{
    const struct columns *columns = &session->store->columns;
    if (!session->shape.has[ROLE_ORDERING_KEY])
        finding(emitter, OUTBOX_LOG_WARN,
                "table %s has no column %s: no order by key; `outbox-relay init` adds it",
                columns->table, columns->names[ROLE_ORDERING_KEY]);
    for (int role = ROLE_AGGREGATE_TYPE; role <= ROLE_AGGREGATE_ID; role++) {
        if (!session->shape.has[role])
            finding(emitter, OUTBOX_LOG_INFO,
                    "table %s has no column %s; `outbox-relay init` adds it", columns->table,
                    columns->names[role]);
    }
    if (!session->shape.has[ROLE_SEQ])
        finding(emitter, OUTBOX_LOG_INFO,
                "table %s has no column %s: the row number gives the order of insertion",
                columns->table, columns->names[ROLE_SEQ]);
}

static enum outbox_status check_indexes(struct outbox_session *session,
                                        const struct emitter *emitter, struct outbox_error *error)
{
    enum outbox_status status = OUTBOX_OK;
    for (size_t i = 0; i < INDEX_COUNT && status == OUTBOX_OK; i++) {
        bool there = false;
        status = plan_is_indexed(session, indexes[i].user, &there, error);
        if (status == OUTBOX_OK && !there)
            finding(emitter, OUTBOX_LOG_WARN,
                    "table %s lacks an index, so %s; `outbox-relay init` makes it",
                    session->store->columns.table, indexes[i].without);
    }
    return status;
}

static bool may_write(const char *path)
{
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

/* Times that SQLite's text order puts in the wrong place gather at the end of the index. */
static enum outbox_status check_times(struct outbox_session *session, const struct emitter *emitter,
                                      struct outbox_error *error)
{
    char *sql = columns_sql(&session->store->columns, &session->shape,
                            "SELECT {available_at} FROM (SELECT {available_at} FROM {table} "
                            "WHERE {status}='PENDING' ORDER BY {available_at} DESC LIMIT 1) "
                            "WHERE NOT (" IS_TIME("{available_at}") ")");
    if (!sql)
        return failure_no_memory("check the table", error);
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(session->db, sql, -1, &row, NULL);
    free(sql);
    if (code == SQLITE_OK)
        code = sqlite3_step(row);
    if (code == SQLITE_ROW)
        finding(emitter, OUTBOX_LOG_WARN,
                "table %s has an event with %s \"%.40s\": it waits for longer than meant unless "
                "times are "
                "written as 2006-01-02 15:04:05.000, UTC",
                session->store->columns.table, session->store->columns.names[ROLE_AVAILABLE_AT],
                (const char *)sqlite3_column_text(row, 0));
    enum outbox_status status = code == SQLITE_ROW || code == SQLITE_DONE
                                    ? OUTBOX_OK
                                    : failure(session, "check the table", error);
    (void)sqlite3_finalize(row); /* repeats a failure already taken */
    return status;
}

/* SQLite opens a file that this user may not write all the same, and for reading only. */
static enum outbox_status check_writable(struct outbox_session *session,
                                         const struct emitter *emitter, struct outbox_error *error)
{
    const char *path = session->store->path;
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof(folder), "%s", path);
    const char *denied = NULL;
    if (sqlite3_db_readonly(session->db, "main") == 1 || !may_write(path))
        denied = path;
    else if (!may_write(dirname(folder)))
        denied = folder;
    if (!denied)
        return OUTBOX_OK;
    (void)outbox_fail(error, OUTBOX_SCHEMA, "SQLITE_READONLY",
                      "%.300s cannot be written by this user, nothing can be claimed: give the "
                      "right to write the file and its folder",
                      denied);
    finding(emitter, OUTBOX_LOG_ERROR, "%s", error->text);
    return OUTBOX_SCHEMA;
}

static enum outbox_status check(struct outbox_session *session, const struct emitter *emitter,
                                struct outbox_error *error)
{
    enum outbox_status status = session_ready(session, false, error);
    session->shape_known = false;
    if (status == OUTBOX_OK)
        status = session_require_shape(session, error);
    if (status == OUTBOX_SCHEMA && error)
        finding(emitter, OUTBOX_LOG_ERROR, "%s", error->text);
    if (status != OUTBOX_OK)
        return status;
    check_optional_columns(session, emitter);
    status = check_indexes(session, emitter, error);
    if (status == OUTBOX_OK)
        status = check_times(session, emitter, error);
    return status == OUTBOX_OK ? check_writable(session, emitter, error) : status;
}

enum outbox_status store_schema(struct outbox_store *store, struct outbox_session *session,
                                uint32_t action, outbox_schema_line *emit, void *context,
                                struct outbox_error *error)
{
    struct outbox_error own = OUTBOX_ERROR_INIT;
    struct outbox_error *filled = error ? error : &own;
    const struct emitter emitter = {emit, context};
    switch (action) {
    case OUTBOX_SCHEMA_PRINT:
        return print(store, &emitter, filled);
    case OUTBOX_SCHEMA_APPLY:
        return apply(session, &emitter, filled);
    case OUTBOX_SCHEMA_CHECK:
        return check(session, &emitter, filled);
    default:
        return outbox_fail(filled, OUTBOX_UNSUPPORTED, "", "unknown schema action %u", action);
    }
}
