/*
 * session.c - one connection: made, set up, interrupted, closed
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

static void log_notice(void *context, const char *message)
{
    const struct outbox_store *store = context;
    outbox_log(store->host, OUTBOX_LOG_DEBUG, "server: %.*s", (int)strcspn(message, "\n"), message);
}

/* What stands before dbname (the url) is a default, what stands behind it overrides. A network that
 * swallows packets is noticed within half a minute, not within the system's quarter of an hour. */
static PGconn *start_connecting(const struct outbox_store *store)
{
    const char *keywords[] = {"application_name", "tcp_user_timeout", "keepalives_idle",
                              "dbname",           "password",         NULL};
    const char *values[] = {store->settings.application_name, "30000", "30", store->settings.url,
                            store->settings.password,         NULL};
    if (!store->settings.password)
        keywords[4] = NULL;
    return PQconnectStartParams(keywords, values, 1);
}

/* Milliseconds for poll(), rounded up so that it never spins. */
static int until(const struct outbox_store *store, int64_t deadline)
{
    int64_t left = deadline - store->host->now(store->host);
    if (left <= 0)
        return 0;
    return left > INT64_C(1000000000000) ? 1000000 : (int)((left + 999999) / 1000000);
}

static enum outbox_status finish_connecting(struct outbox_store *store, PGconn *conn,
                                            int64_t deadline, struct outbox_error *error)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    (void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED)
            return failure_to_connect(store, conn, error);
        struct pollfd socket = {PQsocket(conn), POLLIN, 0};
        if (state == PGRES_POLLING_WRITING)
            socket.events = POLLOUT;
        int timeout = until(store, deadline);
        if (timeout == 0 || poll(&socket, 1, timeout) == 0)
            return outbox_fail(error, OUTBOX_UNAVAILABLE, "08001",
                               "connect to PostgreSQL at %s port %s: no answer in time",
                               PQhost(conn) ? PQhost(conn) : "?",
                               PQport(conn) ? PQport(conn) : "?");
        state = PQconnectPoll(conn);
    }
    (void)PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
    return OUTBOX_OK;
}

/* Every statement of this driver has one right plan, and it is an index scan. The planner would
 * leave it on a table that was never analysed, or keep for ever a plan that was made while the
 * table was empty, so it is left no other choice. Text travels as UTF-8; a database without an
 * encoding gives its bytes. */
static enum outbox_status set_up(struct outbox_session *session, struct outbox_error *error)
{
    static const char settings[] =
        "SELECT set_config('client_encoding', $1, false), set_config('statement_timeout', $2, "
        "false),"
        " set_config(name, value, false) FROM (VALUES ('enable_seqscan', 'off'),"
        " ('enable_bitmapscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'),"
        " ('enable_sort', 'off'), ('enable_incremental_sort', 'off'), ('enable_memoize', 'off'),"
        " ('max_parallel_workers_per_gather', '0'), ('jit', 'off'),"
        " ('plan_cache_mode', 'force_generic_plan'), ('idle_session_timeout', '0'),"
        " ('idle_in_transaction_session_timeout', '0'), ('TimeZone', 'UTC'), ('DateStyle', 'ISO'),"
        " ('default_transaction_isolation', 'read committed')) AS settings(name, value)";
    if (PQserverVersion(session->conn) < 140000)
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "",
                           "connect to PostgreSQL: the server is of version %d.%d, 14 is needed",
                           PQserverVersion(session->conn) / 10000,
                           PQserverVersion(session->conn) % 10000);
    if (PQsetnonblocking(session->conn, 1) != 0 || PQenterPipelineMode(session->conn) != 1)
        return failure_of_connection(session, "set up the session for", error);
    const char *encoding = PQparameterStatus(session->conn, "server_encoding");
    bool bytes = encoding && strcmp(encoding, "SQL_ASCII") == 0;
    char timeout[32];
    (void)snprintf(timeout, sizeof(timeout), "%lld",
                   (long long)session->store->settings.statement_timeout);
    exchange_start(session);
    exchange_query(session, settings, (const char *[]){bytes ? "SQL_ASCII" : "UTF8", timeout}, 2);
    return exchange_run(session, "set up the session for", error);
}

enum outbox_status session_connect(struct outbox_store *store, int64_t deadline,
                                   struct outbox_session **opened, struct outbox_error *error)
{
    struct outbox_session *session = calloc(1, sizeof(*session));
    if (!session)
        return failure_of_memory(error);
    session->store = store;
    session->interrupt_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    session->conn = start_connecting(store);
    enum outbox_status status = OUTBOX_OK;
    if (session->interrupt_fd < 0)
        status = outbox_fail(error, OUTBOX_INTERNAL, "", "connect to PostgreSQL: no eventfd: %s",
                             strerror(errno));
    else if (getrandom(&session->random, sizeof(session->random), GRND_NONBLOCK) < 0)
        status = outbox_fail(error, OUTBOX_INTERNAL, "", "connect to PostgreSQL: no randomness: %s",
                             strerror(errno));
    else if (!session->conn)
        status = failure_of_memory(error);
    else if (PQstatus(session->conn) == CONNECTION_BAD)
        status = failure_to_connect(store, session->conn, error);
    if (status == OUTBOX_OK) {
        (void)PQsetNoticeProcessor(session->conn, log_notice, store);
        status = finish_connecting(store, session->conn, deadline, error);
    }
    if (status == OUTBOX_OK)
        status = set_up(session, error);
    if (status != OUTBOX_OK) {
        session_disconnect(session);
        return status;
    }
    *opened = session;
    return OUTBOX_OK;
}

void session_disconnect(struct outbox_session *session)
{
    claim_lost(session);
    claims_clear(session);
    exchange_clear(session);
    session_forget_table(session);
    for (int i = 0; i < SCRATCH_COUNT; i++)
        buffer_clear(&session->scratch[i]);
    if (session->conn)
        PQfinish(session->conn);
    if (session->interrupt_fd >= 0)
        (void)close(session->interrupt_fd);
    free(session);
}

void session_forget_table(struct outbox_session *session)
{
    table_clear(&session->table);
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        free(session->statements[i].sql);
        session->statements[i] = (struct prepared){0};
    }
    session->examined = false;
    session->forget = false;
}

void session_interrupt(struct outbox_session *session)
{
    uint64_t one = 1;
    (void)!write(session->interrupt_fd, &one, sizeof(one));
}

/* An interrupt that came while no op was running means none. */
void session_enter(struct outbox_session *session)
{
    uint64_t count;
    (void)!read(session->interrupt_fd, &count, sizeof(count));
}

bool session_interrupted(struct outbox_session *session)
{
    struct pollfd interrupt = {session->interrupt_fd, POLLIN, 0};
    return poll(&interrupt, 1, 0) == 1;
}
