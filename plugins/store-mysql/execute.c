/*
 * execute.c - runs statements, and the transactions that they stand in
 * SPDX-License-Identifier: MIT
 *
 * A session has autocommit off: the first statement begins a transaction without a trip of its own,
 * and every op ends what it began.
 */
#include "driver.h"

#include <assert.h>
#include <stdlib.h>

enum { TRIES_MAX = 6 };

unsigned size_for(size_t count)
{
    unsigned size = 0;
    while (size_count(size) < count)
        size++;
    assert(size < SIZES);
    return size;
}

/* ---- Parameters --------------------------------------------------------------------------- */

void parameters_start(struct outbox_session *session)
{
    session->parameters.count = 0;
    session->parameters.failed = false;
}

static bool reserve(struct parameters *parameters)
{
    if (parameters->count < parameters->capacity)
        return true;
    size_t capacity = parameters->capacity ? 2 * parameters->capacity : 64;
    struct parameter *values = realloc(parameters->values, capacity * sizeof(*values));
    if (values)
        parameters->values = values;
    MYSQL_BIND *binds = realloc(parameters->binds, capacity * sizeof(*binds));
    if (binds)
        parameters->binds = binds;
    if (!values || !binds) {
        parameters->failed = true;
        return false;
    }
    parameters->capacity = capacity;
    return true;
}

static void push(struct outbox_session *session, struct parameter parameter)
{
    struct parameters *parameters = &session->parameters;
    if (reserve(parameters))
        parameters->values[parameters->count++] = parameter;
}

void parameter_integer(struct outbox_session *session, int64_t number)
{
    push(session, (struct parameter){.kind = PARAMETER_INTEGER, .number = number});
}

void parameter_unsigned(struct outbox_session *session, uint64_t number)
{
    push(session, (struct parameter){.kind = PARAMETER_UNSIGNED, .number = (int64_t)number});
}

void parameter_instant(struct outbox_session *session, int64_t instant)
{
    push(session, (struct parameter){.kind = PARAMETER_INSTANT, .time = instant_to(instant)});
}

static void push_slice(struct outbox_session *session, enum parameter_kind kind,
                       struct outbox_slice slice)
{
    struct parameter parameter = {
        .kind = slice.data ? kind : PARAMETER_NULL, .data = slice.data, .len = slice.len};
    push(session, parameter);
}

void parameter_text(struct outbox_session *session, struct outbox_slice text)
{
    push_slice(session, PARAMETER_TEXT, text);
}

void parameter_bytes(struct outbox_session *session, struct outbox_slice bytes)
{
    push_slice(session, PARAMETER_BYTES, bytes);
}

static MYSQL_BIND bind_of(struct parameter *parameter)
{
    MYSQL_BIND bind = {.buffer = &parameter->number, .buffer_type = MYSQL_TYPE_LONGLONG};
    switch (parameter->kind) {
    case PARAMETER_NULL:
        bind.buffer_type = MYSQL_TYPE_NULL;
        break;
    case PARAMETER_INTEGER:
        break;
    case PARAMETER_UNSIGNED:
        bind.is_unsigned = 1;
        break;
    case PARAMETER_INSTANT:
        bind.buffer = &parameter->time;
        bind.buffer_type = MYSQL_TYPE_DATETIME;
        break;
    case PARAMETER_TEXT:
    case PARAMETER_BYTES:
        bind.buffer_type = parameter->kind == PARAMETER_TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
        /* The library's structure knows no constant; it only reads what is sent. */
        bind.buffer = (void *)(uintptr_t)parameter->data;
        bind.buffer_length = parameter->len;
        bind.length = &parameter->len;
        break;
    }
    return bind;
}

/* ---- Statements --------------------------------------------------------------------------- */

static enum outbox_status refuse(struct outbox_session *session, const char *what,
                                 struct outbox_error *error)
{
    session->retriable = false;
    if (session->lost)
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "2013", "%s %s: the connection is lost", what,
                           session->store->names.table);
    if (session_interrupted(session))
        return outbox_fail(error, OUTBOX_INTERRUPTED, "", "%s %s: interrupted", what,
                           session->store->names.table);
    return OUTBOX_OK;
}

static enum outbox_status failed(struct outbox_session *session, MYSQL_STMT *statement,
                                 const char *what, struct outbox_error *error)
{
    unsigned number = mysql_stmt_errno(statement);
    if (number != 0)
        return failure_of_server(session, number, mysql_stmt_error(statement), what, error);
    /* While rows are fetched libmariadb writes it down for the connection alone. */
    return failure_of_server(session, mysql_errno(session->client), mysql_error(session->client),
                             what, error);
}

static enum outbox_status prepare(struct outbox_session *session, const char *sql, const char *what,
                                  MYSQL_STMT **prepared, struct outbox_error *error)
{
    MYSQL_STMT *statement = sql ? mysql_stmt_init(session->client) : NULL;
    if (!statement)
        return failure_of_memory(error);
    if (mysql_stmt_prepare(statement, sql, strlen(sql)) != 0) {
        enum outbox_status status = failed(session, statement, what, error);
        (void)mysql_stmt_close(statement);
        return status;
    }
    *prepared = statement;
    return OUTBOX_OK;
}

static enum outbox_status execute(struct outbox_session *session, MYSQL_STMT *statement,
                                  const char *what, struct outbox_error *error)
{
    struct parameters *parameters = &session->parameters;
    if (parameters->failed)
        return failure_of_memory(error);
    assert(mysql_stmt_param_count(statement) == parameters->count);
    for (size_t i = 0; i < parameters->count; i++)
        parameters->binds[i] = bind_of(&parameters->values[i]);
    session->sent = now(session);
    session->in_transaction = true;
    if ((parameters->count > 0 && mysql_stmt_bind_param(statement, parameters->binds) != 0) ||
        mysql_stmt_execute(statement) != 0)
        return failed(session, statement, what, error);
    int64_t took = now(session) - session->sent;
    if (took < session->trip)
        session->trip = took;
    return OUTBOX_OK;
}

enum outbox_status statement_run(struct outbox_session *session, enum statement statement,
                                 unsigned size, const char *what, MYSQL_STMT **executed,
                                 struct outbox_error *error)
{
    enum outbox_status status = refuse(session, what, error);
    session->sent = now(session);
    if (status != OUTBOX_OK)
        return status;
    MYSQL_STMT **prepared = &session->statements[statement][size];
    if (!*prepared) {
        char *sql = sql_text(statement, size_count(size), session->store, &session->table);
        status = prepare(session, sql, what, prepared, error);
        free(sql);
        if (status != OUTBOX_OK)
            return status;
    }
    *executed = *prepared;
    return execute(session, *prepared, what, error);
}

enum outbox_status statement_fetch(struct outbox_session *session, MYSQL_STMT *statement,
                                   const char *what, bool *more, struct outbox_error *error)
{
    int fetched = mysql_stmt_fetch(statement);
    *more = fetched == 0 || fetched == MYSQL_DATA_TRUNCATED; /* of columns fetched one by one */
    if (*more)
        return OUTBOX_OK;
    if (fetched == MYSQL_NO_DATA) {
        (void)mysql_stmt_free_result(statement);
        return OUTBOX_OK;
    }
    /* What the server says ends the answer: a limit of time, a deadlock. */
    return failed(session, statement, what, error);
}

int64_t statement_cost(const struct outbox_session *session)
{
    int64_t cost = now(session) - session->sent - session->trip;
    return cost > 0 ? cost : 0;
}

void statements_close(struct outbox_session *session)
{
    for (int statement = 0; statement < STATEMENT_COUNT; statement++) {
        for (int size = 0; size < SIZES; size++) {
            MYSQL_STMT **prepared = &session->statements[statement][size];
            if (*prepared)
                (void)mysql_stmt_close(*prepared);
            *prepared = NULL;
        }
    }
}

/* ---- Small answers ------------------------------------------------------------------------ */

/* What is longer is cut: nothing that is asked for needs more. */
enum { ANSWER_SIZE = 600 };

struct answer {
    MYSQL_BIND binds[ANSWER_COLUMNS];
    char text[ANSWER_COLUMNS][ANSWER_SIZE];
    unsigned long lengths[ANSWER_COLUMNS];
    client_bool nulls[ANSWER_COLUMNS];
};

static void bind_answer(struct answer *answer)
{
    for (int i = 0; i < ANSWER_COLUMNS; i++) {
        answer->binds[i] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
                                        .buffer = answer->text[i],
                                        .buffer_length = ANSWER_SIZE - 1,
                                        .length = &answer->lengths[i],
                                        .is_null = &answer->nulls[i]};
    }
}

static enum outbox_status take_answer(struct outbox_session *session, MYSQL_STMT *statement,
                                      const char *what, take_row *take, void *context,
                                      struct outbox_error *error)
{
    struct answer answer = {.nulls = {0}};
    const char *values[ANSWER_COLUMNS] = {NULL};
    unsigned columns = mysql_stmt_field_count(statement);
    assert(columns <= ANSWER_COLUMNS);
    bind_answer(&answer);
    if (mysql_stmt_bind_result(statement, answer.binds) != 0)
        return failed(session, statement, what, error);
    enum outbox_status status;
    bool more;
    while ((status = statement_fetch(session, statement, what, &more, error)) == OUTBOX_OK &&
           more) {
        for (unsigned i = 0; i < columns; i++) {
            size_t len = answer.lengths[i] < ANSWER_SIZE ? answer.lengths[i] : ANSWER_SIZE - 1;
            answer.text[i][len] = '\0';
            values[i] = answer.nulls[i] ? NULL : answer.text[i];
        }
        if (take)
            take(context, values);
    }
    return status;
}

enum outbox_status ask(struct outbox_session *session, const char *sql, const char *what,
                       take_row *take, void *context, struct outbox_error *error)
{
    MYSQL_STMT *statement = NULL;
    enum outbox_status status = refuse(session, what, error);
    if (status == OUTBOX_OK)
        status = prepare(session, sql, what, &statement, error);
    if (status == OUTBOX_OK)
        status = execute(session, statement, what, error);
    if (status == OUTBOX_OK && mysql_stmt_field_count(statement) > 0)
        status = take_answer(session, statement, what, take, context, error);
    if (statement)
        (void)mysql_stmt_close(statement);
    return status;
}

enum outbox_status ask_statement(struct outbox_session *session, enum statement statement,
                                 const char *what, take_row *take, void *context,
                                 struct outbox_error *error)
{
    MYSQL_STMT *executed = NULL;
    enum outbox_status status = statement_run(session, statement, 0, what, &executed, error);
    return status == OUTBOX_OK ? take_answer(session, executed, what, take, context, error)
                               : status;
}

/* ---- Transactions ------------------------------------------------------------------------- */

enum outbox_status command_run(struct outbox_session *session, const char *sql, const char *what,
                               struct outbox_error *error)
{
    enum outbox_status status = refuse(session, what, error);
    if (status != OUTBOX_OK)
        return status;
    session->in_transaction = true;
    if (mysql_real_query(session->client, sql, strlen(sql)) == 0)
        return OUTBOX_OK;
    return failure_of_server(session, mysql_errno(session->client), mysql_error(session->client),
                             what, error);
}

enum outbox_status commit(struct outbox_session *session, const char *what,
                          struct outbox_error *error)
{
    enum outbox_status status = command_run(session, "COMMIT", what, error);
    if (status == OUTBOX_OK)
        session->in_transaction = false;
    return status;
}

/* Also when an interrupt has come: the session may be kept. */
static bool roll_back(struct outbox_session *session)
{
    if (session->in_transaction && mysql_rollback(session->client) != 0)
        session->lost = true;
    session->in_transaction = false;
    claim_lost(session);
    return !session->lost;
}

enum outbox_status rollback(struct outbox_session *session, struct outbox_error *error)
{
    if (session->lost || !session->in_transaction || roll_back(session))
        return OUTBOX_OK;
    return failure_of_server(session, mysql_errno(session->client), mysql_error(session->client),
                             "roll back a transaction on", error);
}

enum outbox_status give_up(struct outbox_session *session, enum outbox_status status)
{
    if (!session->lost)
        (void)roll_back(session);
    if (!session->lost)
        return status;
    return status == OUTBOX_INTERRUPTED ? status : OUTBOX_UNAVAILABLE;
}

bool try_again(struct outbox_session *session, unsigned tries)
{
    if (!session->retriable || session->lost || tries >= TRIES_MAX)
        return false;
    session->random ^= session->random << 13;
    session->random ^= session->random >> 7;
    session->random ^= session->random << 17;
    uint64_t longest = UINT64_C(4000000) << tries;
    session_pause(session, (int64_t)(1000000 + session->random % longest));
    return true;
}
