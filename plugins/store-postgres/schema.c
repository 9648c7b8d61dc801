/*
 * schema.c - checking, printing and making the table
 * SPDX-License-Identifier: MIT
 */
#include "partitions.h"

#include <stdarg.h>
#include <stdlib.h>

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

/* ---- CHECK -------------------------------------------------------------------------------- */

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
    const struct names *names = &store->names;
    bool has_time = table->has[ROLE_AVAILABLE_AT], has_state = table->has[ROLE_STATUS];
    bool partial = store->layout->is_upgraded;
    (void)snprintf(
        keys, size, "%s%s%s%s%s", has_state && !partial ? names->column[ROLE_STATUS] : "",
        has_state && !partial ? ", " : "", has_time ? names->column[ROLE_AVAILABLE_AT] : "",
        has_time ? ", " : "", names->column[table->tie]);
}

static void check_indexes(struct reader *reader, const struct outbox_store *store,
                          const struct table *table)
{
    const struct names *names = &store->names;
    const char *const format = "table %s has no index on (%s)%s: %s; %s";
    const char *remedy = store->layout->is_upgraded ? "`outbox-relay init` makes it" : "make one";
    char keys[210];
    name_claim_keys(store, table, keys, sizeof(keys));
    if (!table->claim_index)
        report(reader, OUTBOX_LOG_WARN, format, names->table, keys,
               store->layout->is_upgraded ? " of pending events" : "",
               "claims become slow as the table grows", remedy);
    if (!table->id_index)
        report(
            reader, OUTBOX_LOG_WARN,
            "table %s has no index that begins with %s: settling reads the whole table; make one",
            names->table, names->column[ROLE_EVENT_ID]);
    if (!table->id_unique && table->id_index)
        report(reader, OUTBOX_LOG_WARN,
               "table %s has no unique index on %s: events with the same id are settled together; "
               "make one",
               names->table, names->column[ROLE_EVENT_ID]);
    if (!table->lease_index && store->settings.mode == OUTBOX_MODE_LEASE)
        report(reader, OUTBOX_LOG_WARN, format, names->table, names->column[ROLE_LOCKED_AT],
               " of events being delivered", "looking for expired leases becomes slow", remedy);
    if (!table->dead_index && table->has[ROLE_STATUS])
        report(reader, OUTBOX_LOG_INFO, format, names->table, names->column[ROLE_STATUS],
               " or of dead events", "they are not counted on a large table", remedy);
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
    if (!table->has[ROLE_ATTEMPTS])
        report(reader, OUTBOX_LOG_INFO,
               "table %s has no attempts: they are counted in this relay's memory", name);
    if (!table->has[ROLE_LAST_ERROR])
        report(reader, OUTBOX_LOG_INFO,
               "table %s has no last_error: why an event failed is not written down", name);
    if (!table->has[ROLE_STATUS] || !states_have(&store->states, STATE_DEAD))
        report(reader, OUTBOX_LOG_INFO,
               "table %s has no place for dead events: they stay, are tried again after "
               "retry.max_delay, and are logged as errors",
               name);
}

static void check_extras(struct reader *reader, const struct outbox_store *store,
                         const struct table *table)
{
    for (int role = 0; role < ROLE_COUNT; role++)
        if (store->names.column[role] && !table->has[role] &&
            !shape_requires(store, (enum role)role))
            report(reader, OUTBOX_LOG_INFO, "table %s has no column %s%s", store->names.table,
                   store->names.column[role],
                   role == ROLE_SEQ ? ": events of the same instant have no order" : "");
    if (store->settings.partition && !table->is_partitioned)
        report(reader, OUTBOX_LOG_WARN,
               "table %s is not partitioned, as `partition` asks for: init does that only to a new "
               "table",
               store->names.table);
    check_memory(reader, store, table);
    if (!table->trigger)
        report(reader, OUTBOX_LOG_INFO,
               "table %s has no wake-up trigger: new events are found by polling",
               store->names.table);
}

/* Answers yes or no. */
static enum outbox_status ask(struct outbox_session *session, const char *sql, bool *yes,
                              struct outbox_error *error)
{
    exchange_start(session);
    size_t place = exchange_text(session, sql);
    enum outbox_status status = exchange_run(session, "check", error);
    if (status == OUTBOX_OK)
        *yes = PQgetvalue(exchange_result(session, place), 0, 0)[0] == 't';
    return status;
}

static enum outbox_status check_writable(struct reader *reader, struct outbox_session *session,
                                         struct outbox_error *error)
{
    bool read_only = false;
    enum outbox_status status =
        ask(session, "SELECT current_setting('transaction_read_only')::bool", &read_only, error);
    if (status == OUTBOX_OK && read_only)
        report(reader, OUTBOX_LOG_ERROR,
               "the server lets this session only read (transaction_read_only is on), nothing can "
               "be claimed: let the url name the primary, or see default_transaction_read_only");
    return status;
}

/* Only where an index answers it at once. */
static enum outbox_status check_leases(struct reader *reader, struct outbox_session *session,
                                       const struct table *table, struct outbox_error *error)
{
    const struct names *names = &session->store->names;
    if (!table->lease_index || !table->may_select || table->problems.len > 0)
        return OUTBOX_OK;
    struct buffer sql = {0};
    buffer_text(&sql, "SELECT EXISTS (SELECT FROM %s WHERE %s = '%s' AND %s IS NULL LIMIT 1)",
                names->table, names->quoted[ROLE_STATUS],
                session->store->states.text[STATE_DELIVERING], names->quoted[ROLE_LOCKED_AT]);
    char *text = buffer_take(&sql);
    if (!text)
        return failure_of_memory(error);
    bool stuck = false;
    enum outbox_status status = ask(session, text, &stuck, error);
    free(text);
    if (status == OUTBOX_OK && stuck)
        report(reader, OUTBOX_LOG_WARN,
               "table %s has events that are DELIVERING without %s: their lease never expires; set "
               "them PENDING",
               names->table, names->column[ROLE_LOCKED_AT]);
    return status;
}

static enum outbox_status check_table(struct reader *reader, struct outbox_session *session,
                                      const struct table *table, struct outbox_error *error)
{
    const struct outbox_store *store = session->store;
    if (!table->exists || table->not_a_table)
        return OUTBOX_OK;
    check_rights(reader, store, table);
    check_indexes(reader, store, table);
    check_extras(reader, store, table);
    return check_leases(reader, session, table, error);
}

static enum outbox_status check(struct outbox_store *store, struct outbox_session *session,
                                struct reader *reader, struct outbox_error *error)
{
    struct table table = {0};
    enum outbox_status status = check_writable(reader, session, error);
    if (status == OUTBOX_OK)
        status = table_examine(session, &table, error);
    if (status != OUTBOX_OK) {
        table_clear(&table);
        return status;
    }
    char *rest = table.problems.data;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        report(reader, OUTBOX_LOG_ERROR, "table %s: %s; %s", store->names.table, line,
               table_remedy(&table));
    status = check_table(reader, session, &table, error);
    table_clear(&table);
    if (status != OUTBOX_OK || !reader->stopped)
        return status;
    return outbox_fail(error, OUTBOX_SCHEMA, "", "table %s cannot be relayed from as it is",
                       store->names.table);
}

/* ---- PRINT and APPLY ---------------------------------------------------------------------- */

static enum outbox_status print_step(struct outbox_store *store, enum ddl_step step, char **sql,
                                     struct reader *reader, struct outbox_error *error)
{
    *sql = ddl_text(step, store);
    if (!*sql)
        return failure_of_memory(error);
    struct buffer whole = {0};
    buffer_text(&whole, "%s\n%s;\n", ddl_comment(step), *sql);
    char *text = buffer_take(&whole);
    enum outbox_status status = text ? emit_lines(reader, text, error) : failure_of_memory(error);
    free(text);
    return status;
}

static enum outbox_status print(struct outbox_store *store, struct reader *reader,
                                struct outbox_error *error)
{
    enum outbox_status status = OUTBOX_OK;
    int steps = store->settings.wake ? DDL_STEP_COUNT : DDL_FUNCTION;
    for (int step = 0; status == OUTBOX_OK && step < steps; step++) {
        char *sql;
        if (!ddl_has((enum ddl_step)step, store))
            continue;
        status = print_step(store, (enum ddl_step)step, &sql, reader, error);
        free(sql);
    }
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
    case DDL_DEFAULT:
        return table->is_partitioned && !table->has_partitions;
    case DDL_COLUMNS: /* the server adds no identity column to a table that has partitions */
        return !table->has_partitions &&
               (!table->has[ROLE_ORDERING_KEY] || !table->has[ROLE_AGGREGATE_TYPE] ||
                !table->has[ROLE_AGGREGATE_ID] || !table->has[ROLE_SEQ]);
    case DDL_CLAIM_INDEX:
        return (!table->claim_index || table->tie != ROLE_SEQ) &&
               (table->has[ROLE_SEQ] || !store->names.column[ROLE_SEQ]);
    case DDL_LEASE_INDEX:
        return !table->lease_index && table->has[ROLE_LOCKED_AT];
    case DDL_DEAD_INDEX:
        return !table->dead_index && table->has[ROLE_UPDATED_AT];
    default:
        return store->settings.wake && !table->trigger;
    }
}

static enum outbox_status run_one(struct outbox_session *session, const char *sql, const char *what,
                                  struct outbox_error *error)
{
    exchange_start(session);
    exchange_text(session, sql);
    return exchange_run(session, what, error);
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
        if (step == DDL_TABLE && table->exists && !store->layout->is_upgraded)
            return table->problems.len > 0 ? table_failure(store, table, error) : OUTBOX_OK;
        if (step > DDL_TABLE && table->problems.len > 0)
            return table_failure(store, table, error);
        if (!is_needed((enum ddl_step)step, store, table))
            continue;
        char *sql;
        status = print_step(store, (enum ddl_step)step, &sql, reader, error);
        if (status == OUTBOX_OK)
            status = run_one(session, sql, "make or upgrade", error);
        free(sql);
        if (status != OUTBOX_OK)
            return status;
    }
    return OUTBOX_OK;
}

/* Those that the table needs first. */
static enum outbox_status make_partitions(const struct outbox_store *store,
                                          struct outbox_session *session,
                                          const struct reader *reader, struct outbox_error *error)
{
    enum outbox_status status = table_ensure(session, error);
    if (status != OUTBOX_OK || session->table.is_partitioned)
        return status == OUTBOX_OK ? partitions_begin(session, reader->emit, reader->context, error)
                                   : status;
    return outbox_fail(error, OUTBOX_SCHEMA, "",
                       "table %s is there and is not partitioned, as `partition` asks for: it can "
                       "only be replaced by one that is; see the driver's page",
                       store->names.table);
}

static enum outbox_status apply(struct outbox_store *store, struct outbox_session *session,
                                struct reader *reader, struct outbox_error *error)
{
    enum outbox_status status = exchange_rollback(session, error);
    if (status != OUTBOX_OK)
        return status;
    session->exchange.endless = true;
    exchange_start(session);
    exchange_text(session, "BEGIN");
    exchange_text(session, "SELECT set_config('statement_timeout', '0', true)");
    char lock[96];
    (void)snprintf(lock, sizeof(lock), "SELECT pg_advisory_xact_lock(%d, hashtext($1))",
                   LOCK_SCHEMA);
    exchange_query(session, lock, (const char *[]){store->names.table}, 1);
    status = exchange_run(session, "wait to make", error);
    struct table table = {0};
    if (status == OUTBOX_OK)
        status = apply_steps(store, session, &table, reader, error);
    table_clear(&table);
    if (status == OUTBOX_OK) {
        status = run_one(session, "COMMIT", "make", error);
    } else {
        struct outbox_error ignored = OUTBOX_ERROR_INIT;
        if (exchange_rollback(session, &ignored) != OUTBOX_OK)
            status = OUTBOX_UNAVAILABLE;
    }
    session->exchange.endless = false;
    session->forget = true;
    if (status == OUTBOX_OK && store->settings.partition)
        status = make_partitions(store, session, reader, error);
    return status;
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
