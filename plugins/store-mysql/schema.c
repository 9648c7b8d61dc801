/*
 * schema.c - checking, printing and making the table
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdarg.h>
#include <stdlib.h>

/* How long an init waits for another one. Seconds. */
#define LOCK_PATIENCE "600"

/* Who reads the lines. */
struct reader {
    outbox_schema_line *emit;
    void *context;
    bool stopped; /* something was reported that stops relaying */
};

static void report(struct reader *reader, uint32_t level, const char *format, ...)
    OUTBOX_PRINTF(3, 4);

static void report(struct reader *reader, uint32_t level, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    reader->stopped |= level == OUTBOX_LOG_ERROR;
    reader->emit(reader->context, level, line);
}

static enum outbox_status emit_lines(struct reader *reader, const char *text,
                                     struct outbox_error *error)
{
    char *copy = strdup(text), *rest = copy;
    if (!copy)
        return failure_of_memory(error);
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        reader->emit(reader->context, OUTBOX_LOG_INFO, line);
    free(copy);
    return OUTBOX_OK;
}

/* ---- CHECK: the table --------------------------------------------------------------------- */

static void check_rights(struct reader *reader, const struct outbox_store *store,
                         const struct table *table)
{
    const char *name = store->names.table;
    const char *const format = "right %s on table %s is missing: %s";
    uint32_t for_delete = store->settings.delete_delivered ? OUTBOX_LOG_ERROR : OUTBOX_LOG_INFO;
    if (!table->may_select)
        report(reader, OUTBOX_LOG_ERROR, format, "SELECT", name, "nothing can be claimed");
    if (!table->may_update)
        report(reader, OUTBOX_LOG_ERROR, format, "UPDATE", name, "nothing can be claimed");
    if (!table->may_delete)
        report(reader, for_delete, format, "DELETE", name, "delivered events cannot be removed");
    if (!table->may_insert)
        report(reader, OUTBOX_LOG_INFO, format, "INSERT", name,
               "`outbox-relay enqueue` cannot work");
}

/* By which columns claims would have an index. */
static void name_claim_keys(const struct outbox_store *store, const struct table *table, char *keys,
                            size_t size)
{
    const enum role roles[] = {ROLE_STATUS, ROLE_AVAILABLE_AT, table->tie};
    size_t len = 0;
    keys[0] = '\0';
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]) && len < size; i++)
        if (table_has(table, roles[i]))
            len += (size_t)snprintf(keys + len, size - len, "%s%s", len > 0 ? ", " : "",
                                    store->names.column[roles[i]]);
}

static void check_indexes(struct reader *reader, const struct outbox_store *store,
                          const struct table *table)
{
    const struct names *names = &store->names;
    char keys[300];
    name_claim_keys(store, table, keys, sizeof(keys));
    if (!table->claim_index)
        report(reader, OUTBOX_LOG_WARN,
               "table %s has no index on (%s): every claim reads%s the whole table; %s",
               names->table, keys, table->locks_by_key ? "" : " and locks",
               store->layout->added ? "`outbox-relay init` makes it" : "make one");
    else if (table->tie == ROLE_NONE)
        report(reader, OUTBOX_LOG_INFO,
               "table %s has nothing that orders events of the same instant", names->table);
    if (!table->key_index)
        report(reader, OUTBOX_LOG_WARN,
               "table %s has no index that begins with %s: settling reads the whole table; make "
               "one",
               names->table, names->column[table->key]);
    else if (!table->key_unique)
        report(reader, OUTBOX_LOG_WARN,
               "table %s has no unique index on %s alone: events with the same id are settled "
               "together; make one",
               names->table, names->column[table->key]);
}

static void check_columns(struct reader *reader, const struct outbox_store *store,
                          const struct table *table)
{
    const struct names *names = &store->names;
    for (int role = 0; role < ROLE_COUNT; role++) {
        const struct column *column = &table->columns[role];
        if (!names->column[role] || shape_requires(store, (enum role)role))
            continue;
        if (!column->exists)
            report(reader, OUTBOX_LOG_INFO, "table %s has no column %s%s", names->table,
                   names->column[role],
                   role == ROLE_SEQ ? ": events of the same instant may have no order" : "");
    }
    const enum role needed[] = {table->key, ROLE_AVAILABLE_AT};
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (table->columns[needed[i]].nullable)
            report(reader, OUTBOX_LOG_WARN,
                   "column %s of table %s allows NULL: an event that has none is never claimed; "
                   "make it NOT NULL%s",
                   names->column[needed[i]], names->table,
                   needed[i] == ROLE_AVAILABLE_AT ? ", with a default" : "");
    if (table->local_time)
        report(
            reader, OUTBOX_LOG_INFO,
            "table %s has columns of type DATETIME, which has no time zone: they are taken to be "
            "in the server's, so producers must not set another one",
            names->table);
    const struct column *error = &table->columns[ROLE_LAST_ERROR];
    if (error->exists && error->charset[0] && strcmp(error->charset, "utf8mb4") != 0)
        report(reader, OUTBOX_LOG_INFO,
               "column %s of table %s has character set %s: what that lacks is written as ?",
               names->column[ROLE_LAST_ERROR], names->table, error->charset);
}

/* What the relay does in place of what the table has no column for. */
static void check_memory(struct reader *reader, const struct outbox_store *store,
                         const struct table *table)
{
    const char *name = store->names.table;
    if (table->holds_back)
        report(reader, OUTBOX_LOG_INFO,
               "table %s has no available_at: a retry is held back in this relay's memory, which a "
               "restart and other relays do not know",
               name);
    if (!table_has(table, ROLE_ATTEMPTS))
        report(reader, OUTBOX_LOG_INFO,
               "table %s has no attempts: they are counted in this relay's memory", name);
    if (!table_has(table, ROLE_LAST_ERROR))
        report(reader, OUTBOX_LOG_INFO,
               "table %s has no last_error: why an event failed is not written down", name);
    if (!shape_buries(store))
        report(reader, OUTBOX_LOG_INFO,
               "table %s has no place for dead events: they stay, are tried again after "
               "retry.max_delay, and are logged as errors",
               name);
}

/* ---- CHECK: the server -------------------------------------------------------------------- */

struct answers {
    char text[4][64];
};

static void take_answers(void *context, const char *const values[ANSWER_COLUMNS])
{
    struct answers *answers = context;
    for (int i = 0; i < 4; i++)
        (void)snprintf(answers->text[i], sizeof(answers->text[i]), "%s",
                       values[i] ? values[i] : "");
}

static enum outbox_status check_server(struct reader *reader, struct outbox_session *session,
                                       struct outbox_error *error)
{
    struct answers answers = {{""}};
    parameters_start(session);
    enum outbox_status status =
        ask(session, "SELECT @@global.read_only, @@global.log_bin, @@session.binlog_format, NULL",
            "check", take_answers, &answers, error);
    if (status != OUTBOX_OK)
        return status;
    if (answers.text[0][0] != '0' && answers.text[0][0] != 'O')
        report(reader, OUTBOX_LOG_WARN,
               "the server is read-only (read_only is on), nothing can be claimed without a right "
               "that overrides it: a replica perhaps, let the url name the primary");
    if (answers.text[1][0] == '1' && strcasecmp(answers.text[2], "STATEMENT") == 0)
        report(reader, OUTBOX_LOG_ERROR,
               "binlog_format is STATEMENT, in which the server takes no writes of transactions "
               "that read committed rows: set it to ROW or MIXED");
    return OUTBOX_OK;
}

/* Only where an index answers it at once. */
static enum outbox_status check_leases(struct reader *reader, struct outbox_session *session,
                                       const struct table *table, struct outbox_error *error)
{
    const struct outbox_store *store = session->store;
    const struct names *names = &store->names;
    if (!table->claim_index || !table->may_select || !table_has(table, ROLE_LOCKED_AT) ||
        !table->state[STATE_DELIVERING][0])
        return OUTBOX_OK;
    struct answers stuck = {{""}};
    struct buffer sql = {0};
    buffer_text(&sql,
                "SELECT EXISTS (SELECT 1 FROM %s FORCE INDEX (%s) WHERE %s = %s AND %s IS NULL),"
                " NULL, NULL, NULL",
                names->table, table->claim_index, names->quoted[ROLE_STATUS],
                table->state[STATE_DELIVERING], names->quoted[ROLE_LOCKED_AT]);
    char *text = buffer_take(&sql);
    if (!text)
        return failure_of_memory(error);
    parameters_start(session);
    enum outbox_status status = ask(session, text, "check", take_answers, &stuck, error);
    free(text);
    if (status == OUTBOX_OK && stuck.text[0][0] == '1')
        report(reader, OUTBOX_LOG_WARN,
               "table %s has events that are DELIVERING without %s: their lease never expires; set "
               "them PENDING",
               names->table, names->column[ROLE_LOCKED_AT]);
    return status;
}

static enum outbox_status check_table(struct reader *reader, struct outbox_session *session,
                                      struct table *table, struct outbox_error *error)
{
    const struct outbox_store *store = session->store;
    char *rest = table->problems.data;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        report(reader, OUTBOX_LOG_ERROR, "table %s: %s; %s", store->names.table, line,
               table_remedy(table));
    if (!table->exists || table->not_a_table)
        return OUTBOX_OK;
    check_rights(reader, store, table);
    check_indexes(reader, store, table);
    check_columns(reader, store, table);
    check_memory(reader, store, table);
    return check_leases(reader, session, table, error);
}

static enum outbox_status check(struct outbox_store *store, struct outbox_session *session,
                                struct reader *reader, struct outbox_error *error)
{
    struct table table = {0};
    enum outbox_status status = check_server(reader, session, error);
    if (status == OUTBOX_OK)
        status = table_examine(session, &table, error);
    if (status == OUTBOX_OK)
        status = check_table(reader, session, &table, error);
    table_clear(&table);
    if (status != OUTBOX_OK)
        return give_up(session, status);
    if (!session->held)
        status = commit(session, "check", error);
    if (status != OUTBOX_OK || !reader->stopped)
        return status;
    return outbox_fail(error, OUTBOX_SCHEMA, "", "table %s cannot be relayed from as it is",
                       store->names.table);
}

/* ---- PRINT and APPLY ---------------------------------------------------------------------- */

static enum outbox_status print_step(struct outbox_store *store, enum ddl_step step,
                                     const struct table *table, char **sql, struct reader *reader,
                                     struct outbox_error *error)
{
    *sql = ddl_text(step, store, table);
    if (!*sql)
        return failure_of_memory(error);
    struct buffer whole = {0};
    buffer_text(&whole, "%s\n%s;\n", ddl_comment(step), *sql);
    char *text = buffer_take(&whole);
    enum outbox_status status = text ? emit_lines(reader, text, error) : failure_of_memory(error);
    free(text);
    return status;
}

/* A new table needs the first step alone. */
static enum outbox_status print(struct outbox_store *store, struct reader *reader,
                                struct outbox_error *error)
{
    char *sql;
    enum outbox_status status = print_step(store, DDL_TABLE, NULL, &sql, reader, error);
    free(sql);
    return status;
}

static bool is_needed(enum ddl_step step, const struct outbox_store *store,
                      const struct table *table)
{
    if (!ddl_has(step, store))
        return false;
    switch (step) {
    case DDL_TABLE:
        return !table->exists;
    case DDL_COLUMNS:
        for (int role = 0; role < ROLE_COUNT; role++)
            if ((store->layout->added & ROLE_BIT(role)) && !table->columns[role].exists)
                return true;
        return false;
    default:
        return !table->claim_index || (table_has(table, ROLE_SEQ) && table->tie != ROLE_SEQ);
    }
}

/* Runs what is needed, looking again before each step: one step may do the work of a later one. A
 * table of another layout than ours is left as it was made. */
static enum outbox_status apply_steps(struct outbox_store *store, struct outbox_session *session,
                                      struct table *table, struct reader *reader,
                                      struct outbox_error *error)
{
    for (int step = 0; step < DDL_STEP_COUNT; step++) {
        enum outbox_status status = table_examine(session, table, error);
        if (status != OUTBOX_OK)
            return status;
        if (step == DDL_TABLE && table->exists && !store->layout->added)
            return table->problems.len > 0 ? table_failure(store, table, error) : OUTBOX_OK;
        if (step > DDL_TABLE && table->problems.len > 0)
            return table_failure(store, table, error);
        if (!is_needed((enum ddl_step)step, store, table))
            continue;
        char *sql;
        status = print_step(store, (enum ddl_step)step, table, &sql, reader, error);
        if (status == OUTBOX_OK)
            status = command_run(session, sql, "make or upgrade", error);
        free(sql);
        if (status != OUTBOX_OK)
            return status;
    }
    return OUTBOX_OK;
}

/* One init at a time for each table of the server. The name of a lock has 64 characters at most. */
#define LOCK_NAME                                                                                  \
    "CONCAT('outbox_relay_', LEFT(SHA2(CONCAT(COALESCE(?, DATABASE()), '.', ?), 256), 40))"

static enum outbox_status lock_table(struct outbox_session *session, struct outbox_error *error)
{
    const struct names *names = &session->store->names;
    struct answers answers = {{""}};
    parameters_start(session);
    parameter_text(session, outbox_slice_of(names->schema));
    parameter_text(session, outbox_slice_of(names->relation));
    enum outbox_status status =
        ask(session, "SELECT GET_LOCK(" LOCK_NAME ", " LOCK_PATIENCE "), NULL, NULL, NULL",
            "wait to make", take_answers, &answers, error);
    if (status == OUTBOX_OK && answers.text[0][0] != '1')
        return outbox_fail(error, OUTBOX_TIMEOUT, "",
                           "wait to make %s: another init has not ended in " LOCK_PATIENCE " s",
                           names->table);
    return status;
}

/* The lock ends with the connection, and so does every statement of the old one. */
static enum outbox_status apply(struct outbox_store *store, struct outbox_session *session,
                                struct reader *reader, struct outbox_error *error)
{
    struct table table = {0};
    enum outbox_status status = session_reconnect(session, true, error);
    if (status == OUTBOX_OK)
        status = lock_table(session, error);
    if (status == OUTBOX_OK)
        status = apply_steps(store, session, &table, reader, error);
    table_clear(&table);
    if (session->lost)
        return give_up(session, status);
    struct outbox_error ignored = OUTBOX_ERROR_INIT;
    enum outbox_status back =
        session_reconnect(session, false, status == OUTBOX_OK ? error : &ignored);
    return status == OUTBOX_OK ? back : status;
}

enum outbox_status schema_act(struct outbox_store *store, struct outbox_session *session,
                              uint32_t action, outbox_schema_line *emit, void *context,
                              struct outbox_error *error)
{
    struct reader reader = {emit, context, false};
    switch (action) {
    case OUTBOX_SCHEMA_CHECK:
        return check(store, session, &reader, error);
    case OUTBOX_SCHEMA_PRINT:
        return print(store, &reader, error);
    case OUTBOX_SCHEMA_APPLY:
        return apply(store, session, &reader, error);
    default:
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "",
                           "schema action %u is unknown to this driver", action);
    }
}
