/*
 * session.c - connections to the database file, and their transactions
 * SPDX-License-Identifier: MIT
 */
#include "session.h"

#include "claim.h"
#include "failure.h"
#include "rows.h"
#include "template.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A row is written when it is claimed and again when it is settled. With 16 MiB of log between two
 * checkpoints (SQLite's default is 4) most pages reach the database file once for both. */
#define PRAGMAS "PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY;"

static int64_t now(const struct outbox_session *session)
{
    return session->store->host->now(session->store->host);
}

/* SQLite's write lock has no queue to wait in: whoever wants it asks again. The steps are far finer
 * than those of sqlite3_busy_timeout(), whose first second of waiting asks only some 20 times,
 * because a producer holds the lock for about as long as a flush of its disk takes. */
static int wait_for_lock(void *context, int tries)
{
    struct outbox_session *session = context;
    int64_t moment = now(session);
    if (tries == 0) {
        session->busy_until = moment + session->store->busy_timeout;
        if (session->busy_until > session->deadline)
            session->busy_until = session->deadline;
    }
    if (moment >= session->busy_until || atomic_load(&session->interrupted))
        return 0;
    int64_t step = tries < 50 ? INT64_C(100000) * (tries + 1) : INT64_C(5000000);
    if (step > session->busy_until - moment)
        step = session->busy_until - moment;
    struct timespec pause = {0, (long)step};
    (void)nanosleep(&pause, NULL); /* waking early is no harm */
    return 1;
}

static enum outbox_status use_wal(struct outbox_session *session, sqlite3 *db,
                                  struct outbox_error *error)
{
    static const char doing[] = "switch the database to WAL mode";
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &statement, NULL) != SQLITE_OK)
        return failure_of(session->store, db, doing, error);
    char mode[16] = "";
    if (sqlite3_step(statement) == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(statement, 0);
        (void)snprintf(mode, sizeof(mode), "%s", text ? (const char *)text : "");
    }
    if (sqlite3_finalize(statement) != SQLITE_OK)
        return failure_of(session->store, db, doing, error);
    if (strcmp(mode, "wal") != 0)
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "",
                           "%s, %.200s: it stays in mode \"%s\"; WAL needs a local file system",
                           doing, session->store->path, mode);
    return OUTBOX_OK;
}

static enum outbox_status configure(struct outbox_session *session, sqlite3 *db,
                                    struct outbox_error *error)
{
    (void)sqlite3_extended_result_codes(db, 1);
    (void)sqlite3_busy_handler(db, wait_for_lock, session);
    enum outbox_status status = use_wal(session, db, error);
    if (status != OUTBOX_OK)
        return status;
    const char *sync =
        session->store->sync_full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
    const char *erase =
        session->store->secure_delete ? "PRAGMA secure_delete=ON" : "PRAGMA secure_delete=OFF";
    if (rows_register(db) != SQLITE_OK ||
        sqlite3_exec(db, PRAGMAS, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, erase, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, sync, NULL, NULL, NULL) != SQLITE_OK)
        return failure_of(session->store, db, "configure the connection", error);
    return OUTBOX_OK;
}

static enum outbox_status no_file(const struct outbox_store *store, struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_SCHEMA, "ENOENT",
                       "open %.300s: there is no such file; check url, or make the database with "
                       "`outbox-relay init`",
                       store->path);
}

static enum outbox_status connect(struct outbox_session *session, bool create,
                                  struct outbox_error *error)
{
    struct outbox_store *store = session->store;
    if (!create && access(store->path, F_OK) != 0 && errno == ENOENT)
        return no_file(store, error);
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);
    enum outbox_status status = OUTBOX_OK;
    if (sqlite3_open_v2(store->path, &db, flags, NULL) != SQLITE_OK)
        status = failure_of(store, db, "open", error);
    else
        status = configure(session, db, error);
    if (status != OUTBOX_OK) {
        (void)sqlite3_close(db); /* nothing is prepared on it */
        return status;
    }
    atomic_store(&session->db, db);
    return OUTBOX_OK;
}

enum outbox_status session_ready(struct outbox_session *session, bool create,
                                 struct outbox_error *error)
{
    atomic_store(&session->interrupted, false);
    return session->db ? OUTBOX_OK : connect(session, create, error);
}

enum outbox_status session_open(struct outbox_store *store, int64_t deadline,
                                struct outbox_session **session, struct outbox_error *error)
{
    struct outbox_session *made = calloc(1, sizeof(*made));
    if (!made)
        return failure_no_memory("open a session", error);
    made->store = store;
    made->deadline = deadline;
    rowlock_init(&made->rowlock);
    struct outbox_error ignored = OUTBOX_ERROR_INIT;
    enum outbox_status status = session_ready(made, false, error ? error : &ignored);
    made->deadline = INT64_MAX;
    /* No file yet is no failure here, or `init` could not get the session with which to make one;
     * every other op reports it. */
    if (status == OUTBOX_OK || status == OUTBOX_SCHEMA) {
        *session = made;
        return OUTBOX_OK;
    }
    if (status == OUTBOX_UNAVAILABLE && now(made) >= deadline)
        status = OUTBOX_TIMEOUT;
    session_close(made);
    return status;
}

void session_close(struct outbox_session *session)
{
    claims_free(session);
    rowlock_clear(&session->rowlock);
    for (int id = 0; id < STATEMENT_COUNT; id++)
        (void)sqlite3_finalize(session->statements[id]); /* repeats an error already reported */
    if (session->db && sqlite3_close(session->db) != SQLITE_OK)
        outbox_log(session->store->host, OUTBOX_LOG_ERROR,
                   "close %.300s: a statement is still open", session->store->path);
    free(session);
}

void session_interrupt(struct outbox_session *session)
{
    atomic_store(&session->interrupted, true);
    sqlite3 *db = atomic_load(&session->db);
    if (db)
        sqlite3_interrupt(db);
}

enum outbox_status session_execute(struct outbox_session *session, const char *sql,
                                   const char *doing, struct outbox_error *error)
{
    if (sqlite3_exec(session->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return failure(session, doing, error);
    return OUTBOX_OK;
}

enum outbox_status session_check_file(struct outbox_session *session, struct outbox_error *error)
{
    int moved = 0;
    int code = sqlite3_file_control(session->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (code == SQLITE_OK && moved)
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "SQLITE_READONLY_DBMOVED",
                           "read %.300s: the file was moved, replaced or deleted while it was open",
                           session->store->path);
    return OUTBOX_OK; /* a file system that cannot tell is no reason to stop */
}

enum outbox_status session_ping(struct outbox_session *session, struct outbox_error *error)
{
    enum outbox_status status = session_ready(session, false, error);
    if (status != OUTBOX_OK)
        return status;
    status = session_check_file(session, error);
    if (status != OUTBOX_OK)
        return status;
    /* Reads the file, where SELECT 1 would not. */
    return session_execute(session, "PRAGMA schema_version", "ping", error);
}

/* ---- Statements --------------------------------------------------------------------------- */

static enum outbox_status prepare(struct outbox_session *session, const char *pattern,
                                  const struct shape *shape, sqlite3_stmt **statement,
                                  struct outbox_error *error)
{
    char *sql = template_sql(&session->store->columns, shape, pattern);
    if (!sql)
        return failure_no_memory("write a statement", error);
    int code = sqlite3_prepare_v3(session->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    free(sql);
    return code == SQLITE_OK ? OUTBOX_OK : failure(session, "prepare a statement", error);
}

static bool needs_shape(const char *pattern)
{
    return strchr(pattern, '{') != NULL;
}

enum outbox_status session_statement(struct outbox_session *session, enum statement id,
                                     sqlite3_stmt **statement, struct outbox_error *error)
{
    if (!session->statements[id]) {
        const char *pattern = statement_pattern(id);
        enum outbox_status status =
            needs_shape(pattern) ? session_require_shape(session, error) : OUTBOX_OK;
        if (status == OUTBOX_OK)
            status = prepare(session, pattern, &session->shape, &session->statements[id], error);
        if (status != OUTBOX_OK)
            return status;
    }
    *statement = session->statements[id];
    return OUTBOX_OK;
}

enum outbox_status session_run(struct outbox_session *session, sqlite3_stmt *statement,
                               const char *doing, struct outbox_error *error)
{
    int code;
    do {
        code = sqlite3_step(statement);
    } while (code == SQLITE_ROW);
    if (code != SQLITE_DONE) {
        enum outbox_status status = failure(session, doing, error);
        (void)sqlite3_reset(statement); /* repeats the failure just taken */
        return status;
    }
    (void)sqlite3_reset(statement);
    return OUTBOX_OK;
}

/* ---- Transactions ------------------------------------------------------------------------- */

static enum outbox_status run_plain(struct outbox_session *session, enum statement id,
                                    const char *doing, struct outbox_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum outbox_status status = session_statement(session, id, &statement, error);
    return status == OUTBOX_OK ? session_run(session, statement, doing, error) : status;
}

enum outbox_status session_read_clock(struct outbox_session *session, const char *doing,
                                      struct outbox_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_NOW, &statement, error);
    if (status != OUTBOX_OK)
        return status;
    if (sqlite3_step(statement) != SQLITE_ROW) {
        status = failure(session, doing, error);
    } else {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        if (!text || !instant_parse(text, strlen(text), &session->now))
            status = outbox_fail(error, OUTBOX_INTERNAL, "", "%s: SQLite's clock says \"%.40s\"",
                                 doing, text ? text : "");
        else
            session->now_text = instant_of(session->now);
    }
    (void)sqlite3_reset(statement);
    return status;
}

static void rollback(struct outbox_session *session)
{
    if (sqlite3_get_autocommit(session->db))
        return; /* SQLite has rolled back by itself, as it does when the disk is full */
    struct outbox_error error = OUTBOX_ERROR_INIT;
    if (run_plain(session, STATEMENT_ROLLBACK, "roll back", &error) != OUTBOX_OK)
        outbox_log(session->store->host, OUTBOX_LOG_ERROR, "%s", error.text);
}

enum outbox_status transaction_begin(struct outbox_session *session, const char *doing,
                                     struct outbox_error *error)
{
    enum outbox_status status = run_plain(session, STATEMENT_BEGIN, doing, error);
    if (status != OUTBOX_OK)
        return status;
    status = session_read_clock(session, doing, error);
    if (status != OUTBOX_OK)
        rollback(session);
    return status;
}

enum outbox_status transaction_end(struct outbox_session *session, enum outbox_status status,
                                   const char *doing, struct outbox_error *error)
{
    if (status == OUTBOX_OK)
        status = run_plain(session, STATEMENT_COMMIT, doing, error);
    if (status != OUTBOX_OK)
        rollback(session);
    return status;
}
