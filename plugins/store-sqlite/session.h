/*
 * session.h - an open store, its connections, and their transactions
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_SESSION_H
#define STORE_SQLITE_SESSION_H

#include "holdback.h"
#include "instant.h"
#include "rowlock.h"
#include "shape.h"
#include "statements.h"
#include "wake.h"

#include <outbox/store.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

struct claim;

/* Events that may be held back in memory at a time. */
enum { HELD_BACK_MAX = 10000 };

struct outbox_store {
    const struct outbox_host *host;
    char *path;
    const struct layout *layout;
    struct columns columns;
    struct states states;
    bool lease;           /* else mode hold */
    int64_t busy_timeout; /* nanoseconds */
    bool sync_full;
    bool secure_delete;
    bool delete_delivered;
    bool binary_payload;
    struct wake wake;
    struct holdback holdback;
    atomic_bool is_full; /* as many are held back as may be */
};

struct outbox_session {
    struct outbox_store *store;
    /* NULL until the file exists: see session_ready(). Read by interrupt() on other threads;
     * changed only from NULL to the connection, once. */
    _Atomic(sqlite3 *) db;
    atomic_bool interrupted;
    int64_t deadline;   /* of the op that runs, INT64_MAX if it has none */
    int64_t busy_until; /* when waiting for the write lock ends */
    bool shape_known;
    struct shape shape;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    int64_t now; /* the database's clock at the start of the transaction */
    struct instant now_text;
    struct claim *spare_claims;
    const struct claim *held; /* mode hold: whose rows this session has locked */
    struct rowlock rowlock;
};

/* Ops of the ABI, see <outbox/store.h>. */
enum outbox_status session_open(struct outbox_store *store, int64_t deadline,
                                struct outbox_session **session, struct outbox_error *error);
void session_close(struct outbox_session *session);
void session_interrupt(struct outbox_session *session);
enum outbox_status session_ping(struct outbox_session *session, struct outbox_error *error);

/* What every op begins with. A session may be opened before there is a database file, because
 * `init` needs one to make the file: then this opens it as soon as it is there, and until then
 * returns SCHEMA with the remedy. With `create` it makes the file. */
enum outbox_status session_ready(struct outbox_session *session, bool create,
                                 struct outbox_error *error) __attribute__((warn_unused_result));

/* The prepared statement, reset and ready for its values. Stays the session's. */
enum outbox_status session_statement(struct outbox_session *session, enum statement id,
                                     sqlite3_stmt **statement, struct outbox_error *error)
    __attribute__((warn_unused_result));

/* Runs SQL that returns nothing. */
enum outbox_status session_execute(struct outbox_session *session, const char *sql,
                                   const char *doing, struct outbox_error *error)
    __attribute__((warn_unused_result));

/* Runs a prepared statement to its end; rows it returns are passed over. */
enum outbox_status session_run(struct outbox_session *session, sqlite3_stmt *statement,
                               const char *doing, struct outbox_error *error)
    __attribute__((warn_unused_result));

/* Puts the database's clock into session->now and now_text. */
enum outbox_status session_read_clock(struct outbox_session *session, const char *doing,
                                      struct outbox_error *error)
    __attribute__((warn_unused_result));

/* Takes the write lock, waiting for it at most busy_timeout, and reads the clock. */
enum outbox_status transaction_begin(struct outbox_session *session, const char *doing,
                                     struct outbox_error *error)
    __attribute__((warn_unused_result));

/* Commits if `status` is OK, else rolls back. Returns `status`, or why the commit failed. */
enum outbox_status transaction_end(struct outbox_session *session, enum outbox_status status,
                                   const char *doing, struct outbox_error *error)
    __attribute__((warn_unused_result));

/* Whether the file that the connection has open is still the one at the store's path. */
enum outbox_status session_check_file(struct outbox_session *session, struct outbox_error *error)
    __attribute__((warn_unused_result));

#endif
