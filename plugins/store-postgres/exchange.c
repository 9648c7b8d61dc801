/*
 * exchange.c - statements sent together and answered together, in pipeline mode
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>

/* What the network and a busy server may take beyond statement_timeout before the connection is
 * given up. Nanoseconds. */
#define GRACE INT64_C(10000000000)

enum { TRIES_MAX = 6 };

static int64_t now(const struct outbox_session *session)
{
    return session->store->host->now(session->store->host);
}

void exchange_clear(struct outbox_session *session)
{
    struct exchange *exchange = &session->exchange;
    for (size_t i = 0; i < exchange->count; i++)
        PQclear(exchange->items[i].result);
    exchange->count = 0;
}

static void start_anyway(struct outbox_session *session)
{
    exchange_clear(session);
    session->exchange.refused = OUTBOX_OK;
    session->exchange.retriable = false;
}

void exchange_start(struct outbox_session *session)
{
    start_anyway(session);
    if (session->lost)
        session->exchange.refused = OUTBOX_UNAVAILABLE;
    else if (session_interrupted(session))
        session->exchange.refused = OUTBOX_INTERRUPTED;
}

static size_t queued(struct outbox_session *session, int sent, int prepares)
{
    struct exchange *exchange = &session->exchange;
    if (!sent) {
        exchange->refused = OUTBOX_UNAVAILABLE;
        return 0;
    }
    assert(exchange->count < EXCHANGE_MAX);
    exchange->items[exchange->count] = (struct exchange_item){prepares, NULL};
    return exchange->count++;
}

size_t exchange_query(struct outbox_session *session, const char *sql, const char *const *values,
                      int count)
{
    if (session->exchange.refused)
        return 0;
    int sent = PQsendQueryParams(session->conn, sql, count, NULL, values, NULL, NULL, 0);
    return queued(session, sent, NOT_PREPARED);
}

size_t exchange_text(struct outbox_session *session, const char *sql)
{
    return exchange_query(session, sql, NULL, 0);
}

void exchange_unlimited(struct outbox_session *session)
{
    exchange_text(session, "SELECT set_config('statement_timeout', '0', true),"
                           " set_config('enable_seqscan', 'on', true)");
}

static void prepare(struct outbox_session *session, enum statement statement, const char *name)
{
    struct prepared *prepared = &session->statements[statement];
    if (!prepared->sql)
        prepared->sql = sql_text(statement, session->store, &session->table);
    if (!prepared->sql)
        session->exchange.refused = OUTBOX_INTERNAL;
    else
        queued(session, PQsendPrepare(session->conn, name, prepared->sql, 0, NULL), (int)statement);
}

size_t exchange_statement(struct outbox_session *session, enum statement statement,
                          const struct parameter *parameters, int count)
{
    const char *values[PARAMETER_MAX];
    int lengths[PARAMETER_MAX], formats[PARAMETER_MAX];
    char name[16];
    assert(count <= PARAMETER_MAX);
    (void)snprintf(name, sizeof(name), "outbox_%d", (int)statement);
    if (!session->exchange.refused && !session->statements[statement].ready)
        prepare(session, statement, name);
    for (int i = 0; i < count; i++) {
        if (parameters[i].len > INT32_MAX / 2)
            session->exchange.refused = OUTBOX_INTERNAL;
        values[i] = parameters[i].data;
        lengths[i] = (int)parameters[i].len;
        formats[i] = 1;
    }
    if (session->exchange.refused)
        return 0;
    int sent = PQsendQueryPrepared(session->conn, name, count, values, lengths, formats, 1);
    return queued(session, sent, NOT_PREPARED);
}

/* Waits until the socket can be used. False if `deadline` passed or an interrupt came. The server
 * is not asked to cancel: libpq 15 makes that request only by waiting for it, on a connection of
 * its own, and a server that is frozen would never take it. */
static bool wait_for_socket(struct outbox_session *session, bool writing, int64_t deadline)
{
    struct pollfd fds[2] = {{PQsocket(session->conn), POLLIN, 0},
                            {session->interrupt_fd, POLLIN, 0}};
    if (writing)
        fds[0].events = POLLIN | POLLOUT;
    int64_t left = deadline - now(session);
    if (left <= 0)
        return false;
    int timeout = left > INT64_C(1000000000000) ? 1000000 : (int)((left + 999999) / 1000000);
    int ready = poll(fds, 2, timeout);
    if (ready < 0)
        return errno == EINTR;
    return fds[1].revents == 0;
}

/* Waits for a result. False if the connection is lost, with *silent if the server said nothing in
 * time, or before an interrupt. */
static bool receive(struct outbox_session *session, int64_t deadline, bool *silent,
                    PGresult **result)
{
    for (;;) {
        int unsent = PQflush(session->conn);
        if (unsent < 0)
            break;
        if (unsent == 0 && !PQisBusy(session->conn)) {
            *result = PQgetResult(session->conn);
            return true;
        }
        if (!wait_for_socket(session, unsent > 0, deadline)) {
            *silent = true;
            return false;
        }
        if (!PQconsumeInput(session->conn))
            break;
    }
    /* The server's last words, if there were any, are still to be read. */
    *result = PQgetResult(session->conn);
    return *result != NULL;
}

/* Collects a result for every item and then the answer to the sync. */
static bool receive_all(struct outbox_session *session, bool *silent)
{
    struct exchange *exchange = &session->exchange;
    int64_t limit = session->store->settings.statement_timeout * 1000000;
    int64_t deadline = INT64_MAX;
    if (limit > 0 && !exchange->endless)
        deadline = now(session) + (int64_t)exchange->count * limit + GRACE;
    PGresult *result;
    for (size_t i = 0; i < exchange->count; i++) {
        if (!receive(session, deadline, silent, &exchange->items[i].result))
            return false;
        do { /* the NULL that ends an item */
            if (!receive(session, deadline, silent, &result))
                return PQstatus(session->conn) != CONNECTION_BAD;
            PQclear(result);
        } while (result);
    }
    if (!receive(session, deadline, silent, &result))
        return false;
    bool synced = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    PQclear(result);
    return synced;
}

static enum outbox_status refusal(struct outbox_session *session, const char *what,
                                  struct outbox_error *error)
{
    switch (session->exchange.refused) {
    case OUTBOX_INTERRUPTED:
        return outbox_fail(error, OUTBOX_INTERRUPTED, "", "%s %s: interrupted", what,
                           session->store->names.table);
    case OUTBOX_INTERNAL:
        session->lost = true;
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "ENOMEM",
                           "%s %s: out of memory, or more than 1 GiB at once", what,
                           session->store->names.table);
    default:
        return failure_of_connection(session, what, error);
    }
}

/* The first item that failed says why; those behind it were skipped. */
static enum outbox_status judge(struct outbox_session *session, const char *what,
                                struct outbox_error *error)
{
    struct exchange *exchange = &session->exchange;
    enum outbox_status status = OUTBOX_OK;
    for (size_t i = 0; i < exchange->count && status == OUTBOX_OK; i++) {
        const PGresult *result = exchange->items[i].result;
        ExecStatusType answer = PQresultStatus(result);
        if (answer != PGRES_COMMAND_OK && answer != PGRES_TUPLES_OK)
            status = failure_of_result(session, result, what, error);
        else if (exchange->items[i].prepares != NOT_PREPARED)
            session->statements[exchange->items[i].prepares].ready = true;
    }
    return status;
}

static enum outbox_status run(struct outbox_session *session, const char *what,
                              struct outbox_error *error)
{
    struct exchange *exchange = &session->exchange;
    /* What was queued before a refusal is in libpq's hands and cannot be taken back. */
    if (exchange->refused && exchange->count > 0)
        session->lost = true;
    if (exchange->refused)
        return refusal(session, what, error);
    bool silent = false;
    bool complete = PQpipelineSync(session->conn) && receive_all(session, &silent);
    if (silent) {
        session->lost = true;
        if (session_interrupted(session))
            return outbox_fail(error, OUTBOX_INTERRUPTED, "",
                               "%s %s: interrupted, the connection is given up", what,
                               session->store->names.table);
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "08006",
                           "%s %s: the server does not answer, the connection is given up", what,
                           session->store->names.table);
    }
    enum outbox_status status = judge(session, what, error);
    if (!complete && status != OUTBOX_UNAVAILABLE)
        return failure_of_connection(session, what, error);
    return status;
}

enum outbox_status exchange_rollback(struct outbox_session *session, struct outbox_error *error)
{
    PGTransactionStatusType state = PQtransactionStatus(session->conn);
    if (session->lost || state == PQTRANS_IDLE)
        return OUTBOX_OK;
    start_anyway(session);
    exchange_text(session, "ROLLBACK");
    enum outbox_status status = run(session, "roll back a transaction on", error);
    claim_lost(session);
    return status;
}

enum outbox_status exchange_run(struct outbox_session *session, const char *what,
                                struct outbox_error *error)
{
    enum outbox_status status = run(session, what, error);
    if (session->lost)
        return status == OUTBOX_INTERRUPTED ? status : OUTBOX_UNAVAILABLE;
    /* An interrupt that came before anything was sent has changed nothing, and no row is let go. */
    if (status == OUTBOX_OK || session->exchange.refused == OUTBOX_INTERRUPTED)
        return status;
    struct exchange failed = session->exchange; /* its results stay for the caller to look at */
    session->exchange.count = 0;
    struct outbox_error ignored = OUTBOX_ERROR_INIT;
    if (exchange_rollback(session, &ignored) != OUTBOX_OK)
        session->lost = true;
    exchange_clear(session);
    session->exchange = failed;
    return session->lost ? OUTBOX_UNAVAILABLE : status;
}

PGresult *exchange_result(struct outbox_session *session, size_t place)
{
    assert(place < session->exchange.count);
    return session->exchange.items[place].result;
}

PGresult *exchange_take(struct outbox_session *session, size_t place)
{
    PGresult *result = exchange_result(session, place);
    session->exchange.items[place].result = NULL;
    return result;
}

bool exchange_again(struct outbox_session *session, unsigned tries)
{
    if (!session->exchange.retriable || session->lost || tries >= TRIES_MAX)
        return false;
    session->random ^= session->random << 13;
    session->random ^= session->random >> 7;
    session->random ^= session->random << 17;
    struct pollfd interrupt = {session->interrupt_fd, POLLIN, 0};
    (void)poll(&interrupt, 1, (int)(1 + session->random % (4u << tries)));
    return true;
}
