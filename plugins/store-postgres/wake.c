/*
 * wake.c - being woken by a commit
 * SPDX-License-Identifier: MIT
 *
 * A NOTIFY makes the commits of all producers queue up behind one lock, so the trigger sends it
 * only while a relay sleeps. A sleeping relay says so by holding an advisory lock, which the
 * trigger tries to share: no row is written, and nothing stays behind when a relay dies.
 */
#include "driver.h"

#include <stdlib.h>

#define CONNECT_TIME INT64_C(5000000000)
#define CONNECT_GAP INT64_C(1000000000)

/* A producer shares the lock for an instant, which may be the one at which it is tried. */
enum { LOCK_TRIES = 3 };

void wake_close(struct outbox_store *store)
{
    struct wake *wake = &store->wake;
    if (wake->session)
        session_disconnect(wake->session);
    wake->session = NULL;
    wake->armed = false;
}

static void swallow(PGconn *conn)
{
    PGnotify *notify;
    while ((notify = PQnotifies(conn)))
        PQfreemem(notify);
}

static enum outbox_status listen(struct outbox_store *store, struct outbox_error *error)
{
    struct outbox_session *session = store->wake.session;
    struct table table = {0};
    enum outbox_status status = table_examine(session, &table, error);
    if (status == OUTBOX_OK && !table.exists)
        status = table_failure(store, &table, error);
    Oid oid = table.oid;
    bool trigger = table.trigger;
    table_clear(&table);
    if (status != OUTBOX_OK)
        return status;
    if (!trigger && !store->wake.told)
        outbox_log(store->host, OUTBOX_LOG_INFO,
                   "table %s has no wake-up trigger, events are found by polling; "
                   "`outbox-relay init` makes it",
                   store->names.table);
    store->wake.told = true;
    store->wake.table = oid;
    char sql[64];
    (void)snprintf(sql, sizeof(sql), "LISTEN outbox_wake_%u", oid);
    exchange_start(session);
    exchange_text(session, sql);
    return exchange_run(session, "listen for", error);
}

static enum outbox_status connect_wake(struct outbox_store *store, struct outbox_error *error)
{
    struct wake *wake = &store->wake;
    int64_t now = store->host->now(store->host);
    if (wake->session)
        return OUTBOX_OK;
    if (now < wake->next_connect)
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "",
                           "listen for %s: the connection was lost a moment ago",
                           store->names.table);
    wake->next_connect = now + CONNECT_GAP;
    enum outbox_status status = session_connect(store, now + CONNECT_TIME, &wake->session, error);
    if (status != OUTBOX_OK)
        return status;
    status = listen(store, error);
    if (status != OUTBOX_OK)
        wake_close(store);
    return status;
}

/* True if the lock is ours. If it is not, another relay sleeps, and its notifications reach us too.
 */
static enum outbox_status try_lock(struct outbox_store *store, bool *locked,
                                   struct outbox_error *error)
{
    struct outbox_session *session = store->wake.session;
    char sql[96];
    (void)snprintf(sql, sizeof(sql), "SELECT pg_try_advisory_lock(%d, %u::oid::int)", LOCK_AWAKE,
                   store->wake.table);
    *locked = false;
    for (int i = 0; i < LOCK_TRIES && !*locked; i++) {
        exchange_start(session);
        size_t place = exchange_text(session, sql);
        enum outbox_status status = exchange_run(session, "listen for", error);
        if (status != OUTBOX_OK)
            return status;
        *locked = PQgetvalue(exchange_result(session, place), 0, 0)[0] == 't';
    }
    return OUTBOX_OK;
}

enum outbox_status wake_arm(struct outbox_store *store, int *fd, struct outbox_error *error)
{
    struct wake *wake = &store->wake;
    enum outbox_status status = connect_wake(store, error);
    if (status == OUTBOX_OK && !wake->armed)
        status = try_lock(store, &wake->armed, error);
    else if (status == OUTBOX_OK && !PQconsumeInput(wake->session->conn))
        status = failure_of_connection(wake->session, "listen for", error);
    if (status != OUTBOX_OK) {
        wake_close(store);
        return status;
    }
    /* What came until now was committed before the poll that follows. */
    swallow(wake->session->conn);
    *fd = PQsocket(wake->session->conn);
    return OUTBOX_OK;
}

void wake_disarm(struct outbox_store *store)
{
    struct wake *wake = &store->wake;
    if (!wake->session)
        return;
    char sql[96];
    (void)snprintf(sql, sizeof(sql),
                   wake->armed ? "SELECT pg_advisory_unlock(%d, %u::oid::int)" : "SELECT %d, %u",
                   LOCK_AWAKE, wake->table);
    wake->armed = false;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    exchange_start(wake->session);
    exchange_text(wake->session, sql);
    if (exchange_run(wake->session, "stop listening for", &error) != OUTBOX_OK) {
        outbox_log(store->host, OUTBOX_LOG_DEBUG, "%s", error.text);
        wake_close(store);
        return;
    }
    swallow(wake->session->conn);
}
