/*
 * schema.c - the table: printed, made, checked
 * SPDX-License-Identifier: MIT
 */
#include "ddl.h"
#include "failure.h"
#include "ops.h"
#include "plan.h"
#include "template.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static const char doing[] = "make the table";

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
        char finding_line[1024];                                                                   \
        (void)snprintf(finding_line, sizeof(finding_line), __VA_ARGS__);                           \
        (emitter)->emit((emitter)->context, (level), finding_line);                                \
    } while (0)

/* ---- PRINT -------------------------------------------------------------------------------- */

static enum outbox_status print_sql(const struct outbox_store *store, const struct shape *wanted,
                                    const struct emitter *emitter, const char *pattern,
                                    struct outbox_error *error)
{
    char *sql = pattern ? template_sql(&store->columns, wanted, pattern) : NULL;
    if (!sql)
        return failure_no_memory("print the schema", error);
    emit_lines(emitter, sql);
    free(sql);
    return OUTBOX_OK;
}

static enum outbox_status print(const struct outbox_store *store, const struct emitter *emitter,
                                struct outbox_error *error)
{
    struct shape wanted;
    shape_wanted(store, &wanted);
    emit_lines(emitter, "PRAGMA journal_mode=WAL");
    char *table = ddl_table(store, &wanted);
    enum outbox_status status = print_sql(store, &wanted, emitter, table, error);
    free(table);
    for (size_t i = 0; i < DDL_INDEX_COUNT && status == OUTBOX_OK; i++) {
        if (!ddl_indexes[i].implied && ddl_needs(store, &wanted, &ddl_indexes[i]))
            status = print_sql(store, &wanted, emitter, ddl_indexes[i].pattern, error);
    }
    return status;
}

/* ---- APPLY -------------------------------------------------------------------------------- */

static enum outbox_status apply_sql(struct outbox_session *session, const struct emitter *emitter,
                                    const char *pattern, struct outbox_error *error)
{
    struct shape wanted;
    shape_wanted(session->store, &wanted);
    char *sql = pattern ? template_sql(&session->store->columns, &wanted, pattern) : NULL;
    if (!sql)
        return failure_no_memory(doing, error);
    enum outbox_status status = session_execute(session, sql, doing, error);
    if (status == OUTBOX_OK)
        emit_lines(emitter, sql);
    free(sql);
    return status;
}

static enum outbox_status make_table(struct outbox_session *session, const struct emitter *emitter,
                                     struct outbox_error *error)
{
    struct shape wanted;
    shape_wanted(session->store, &wanted);
    char *table = ddl_table(session->store, &wanted);
    enum outbox_status status = apply_sql(session, emitter, table, error);
    free(table);
    return status;
}

/* Columns that a table made elsewhere lacks and that can be added to it. */
static enum outbox_status add_columns(struct outbox_session *session, const struct emitter *emitter,
                                      struct outbox_error *error)
{
    const struct layout *layout = session->store->layout;
    enum outbox_status status = OUTBOX_OK;
    for (enum role role = 0; role < ROLE_COUNT && status == OUTBOX_OK; role++) {
        if (!(layout->added & ROLE_BIT(role)) || session->shape.has[role])
            continue;
        char pattern[128];
        (void)snprintf(pattern, sizeof(pattern), "ALTER TABLE {table} ADD COLUMN {%s} %s",
                       role_name(role), layout->definition[role]);
        status = apply_sql(session, emitter, pattern, error);
    }
    return status;
}

static enum outbox_status add_indexes(struct outbox_session *session, const struct emitter *emitter,
                                      struct outbox_error *error)
{
    const struct outbox_store *store = session->store;
    enum outbox_status status = OUTBOX_OK;
    for (size_t i = 0; i < DDL_INDEX_COUNT && status == OUTBOX_OK; i++) {
        bool there = false;
        if (!ddl_needs(store, &session->shape, &ddl_indexes[i]))
            continue;
        status = plan_is_indexed(session, ddl_user(store, &ddl_indexes[i]), &there, error);
        if (status == OUTBOX_OK && !there)
            status = apply_sql(session, emitter, ddl_indexes[i].pattern, error);
    }
    return status;
}

/* A table of another layout than ours is left as it was made. */
static enum outbox_status apply_in_transaction(struct outbox_session *session,
                                               const struct emitter *emitter,
                                               struct outbox_error *error)
{
    session->shape_known = false;
    enum outbox_status status = session_read_shape(session, error);
    bool made = status == OUTBOX_OK && !session->shape.exists;
    if (made)
        status = make_table(session, emitter, error);
    if (status == OUTBOX_OK)
        status = session_require_shape(session, error);
    if (!made && !session->store->layout->added)
        return status;
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
    const struct outbox_store *store = session->store;
    const struct columns *columns = &store->columns;
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        const char *name = columns->names[role];
        if (!name[0] || session->shape.has[role] || shape_requires(store, role))
            continue;
        if (role == ROLE_ORDERING_KEY)
            finding(emitter, OUTBOX_LOG_WARN,
                    "table %s has no column %s: no order by key; `outbox-relay init` adds it",
                    columns->table, name);
        else if (role == ROLE_SEQ)
            finding(emitter, OUTBOX_LOG_INFO,
                    "table %s has no column %s: the row number gives the order of insertion",
                    columns->table, name);
        else
            finding(emitter, OUTBOX_LOG_INFO, "table %s has no column %s%s", columns->table, name,
                    store->layout->added & ROLE_BIT(role) ? "; `outbox-relay init` adds it" : "");
    }
}

/* What the relay does in place of what the table has no column for. */
static void check_memory(const struct outbox_session *session, const struct emitter *emitter)
{
    const struct shape *shape = &session->shape;
    const char *table = session->store->columns.table;
    if (!shape->has[ROLE_AVAILABLE_AT])
        finding(
            emitter, OUTBOX_LOG_INFO,
            "table %s has no available_at: a retry is held back in this relay's memory, which a "
            "restart and other relays do not know",
            table);
    if (!shape->has[ROLE_ATTEMPTS])
        finding(emitter, OUTBOX_LOG_INFO,
                "table %s has no attempts: they are counted in this relay's memory", table);
    if (!shape->has[ROLE_LAST_ERROR])
        finding(emitter, OUTBOX_LOG_INFO,
                "table %s has no last_error: why an event failed is not written down", table);
    if (!shape_buries(shape))
        finding(emitter, OUTBOX_LOG_INFO,
                "table %s has no place for dead events: they stay, are tried again after "
                "retry.max_delay, and are logged as errors",
                table);
}

static void add_name(const struct outbox_session *session, enum role role, char *names, size_t size)
{
    size_t len = strlen(names);
    if (role != ROLE_NONE && session->shape.has[role])
        (void)snprintf(names + len, size - len, "%s%s", len > 0 ? ", " : "",
                       session->store->columns.names[role]);
}

/* The columns that an index is on, of those that the table has. */
static void name_index(const struct outbox_session *session, const struct ddl_index *index,
                       char *names, size_t size)
{
    names[0] = '\0';
    for (size_t i = 0; index->columns[i] != ROLE_NONE; i++)
        add_name(session, index->columns[i], names, size);
    if (index->user == STATEMENT_CLAIM && !session->store->layout->by_id)
        add_name(session, session->shape.order, names, size);
}

static enum outbox_status check_indexes(struct outbox_session *session,
                                        const struct emitter *emitter, struct outbox_error *error)
{
    const struct outbox_store *store = session->store;
    enum outbox_status status = OUTBOX_OK;
    for (size_t i = 0; i < DDL_INDEX_COUNT && status == OUTBOX_OK; i++) {
        const struct ddl_index *index = &ddl_indexes[i];
        bool there = false;
        char names[3 * IDENTIFIER_MAX + 8];
        if (!ddl_needs(store, &session->shape, index))
            continue;
        status = plan_is_indexed(session, ddl_user(store, index), &there, error);
        if (status != OUTBOX_OK || there)
            continue;
        name_index(session, index, names, sizeof(names));
        finding(emitter, OUTBOX_LOG_WARN, "table %s has no index on (%s), so %s; %s",
                store->columns.table, names, index->without,
                store->layout->added ? "`outbox-relay init` makes it" : "make one");
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
    if (!session->shape.has[ROLE_AVAILABLE_AT])
        return OUTBOX_OK;
    char *sql = template_sql(&session->store->columns, &session->shape,
                             "SELECT {available_at} FROM (SELECT {available_at} FROM {table} "
                             "[[status|WHERE {status}={PENDING}]] "
                             "ORDER BY {available_at} DESC LIMIT 1) "
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

static void report_problems(struct outbox_session *session, const struct emitter *emitter)
{
    char problems[sizeof(session->shape.problems)];
    (void)snprintf(problems, sizeof(problems), "%s", session->shape.problems);
    char *rest = problems;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        finding(emitter, OUTBOX_LOG_ERROR,
                "table %s: %s; change the table, or name other columns with `columns`",
                session->store->columns.table, line);
}

/* What more is wrong, as far as it can be seen, so that all is said at once. */
static enum outbox_status check_rest(struct outbox_session *session, const struct emitter *emitter,
                                     struct outbox_error *error)
{
    struct outbox_error ignored = OUTBOX_ERROR_INIT;
    const struct shape *shape = &session->shape;
    bool needs_status = columns_have(&session->store->columns, ROLE_STATUS);
    report_problems(session, emitter);
    if (shape->has[ROLE_EVENT_ID] && (!needs_status || shape->state[STATE_PENDING][0]) &&
        check_indexes(session, emitter, &ignored) != OUTBOX_OK)
        finding(emitter, OUTBOX_LOG_WARN, "%s", ignored.text);
    return session_require_shape(session, error);
}

static enum outbox_status check(struct outbox_session *session, const struct emitter *emitter,
                                struct outbox_error *error)
{
    enum outbox_status status = session_ready(session, false, error);
    session->shape_known = false;
    if (status == OUTBOX_OK)
        status = session_require_shape(session, error);
    if (status == OUTBOX_SCHEMA && session->shape.problems[0])
        return check_rest(session, emitter, error);
    if (status == OUTBOX_SCHEMA && error)
        finding(emitter, OUTBOX_LOG_ERROR, "%s", error->text);
    if (status != OUTBOX_OK)
        return status;
    check_optional_columns(session, emitter);
    check_memory(session, emitter);
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
