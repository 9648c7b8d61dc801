/*
 * failure.c - what an SQLite result code means to the relay
 * SPDX-License-Identifier: MIT
 */
#include "failure.h"

#include <errno.h>

struct meaning {
    int code; /* primary, or extended where it means something else */
    const char *name;
    enum outbox_status status;
    const char *remedy;
};

#define BUSY_REMEDY "another connection held the lock for longer than busy_timeout"
#define DISK_REMEDY "free space on its disk"
#define RIGHT_REMEDY "give the relay's user the right to write the file and its folder"

/* The first that fits counts: extended codes stand before their primary code. */
static const struct meaning meanings[] = {
    {SQLITE_BUSY, "SQLITE_BUSY", OUTBOX_UNAVAILABLE, BUSY_REMEDY},
    {SQLITE_LOCKED, "SQLITE_LOCKED", OUTBOX_UNAVAILABLE, BUSY_REMEDY},
    {SQLITE_FULL, "SQLITE_FULL", OUTBOX_UNAVAILABLE, DISK_REMEDY},
    {SQLITE_IOERR, "SQLITE_IOERR", OUTBOX_UNAVAILABLE, "see the system's log for its disk"},
    {SQLITE_CANTOPEN, "SQLITE_CANTOPEN", OUTBOX_UNAVAILABLE,
     "check that its folder exists and may be written"},
    {SQLITE_PROTOCOL, "SQLITE_PROTOCOL", OUTBOX_UNAVAILABLE, BUSY_REMEDY},
    {SQLITE_READONLY_DBMOVED, "SQLITE_READONLY_DBMOVED", OUTBOX_UNAVAILABLE,
     "the file was replaced while it was open"},
    {SQLITE_READONLY, "SQLITE_READONLY", OUTBOX_DENIED, RIGHT_REMEDY},
    {SQLITE_PERM, "SQLITE_PERM", OUTBOX_DENIED, RIGHT_REMEDY},
    {SQLITE_AUTH, "SQLITE_AUTH", OUTBOX_DENIED, RIGHT_REMEDY},
    {SQLITE_CORRUPT, "SQLITE_CORRUPT", OUTBOX_INVALID,
     "the file is damaged: restore it, or recover it with the sqlite3 shell's .recover"},
    {SQLITE_NOTADB, "SQLITE_NOTADB", OUTBOX_INVALID, "url names a file that is no SQLite database"},
    {SQLITE_CONSTRAINT, "SQLITE_CONSTRAINT", OUTBOX_INVALID, "the table refuses the value"},
    {SQLITE_TOOBIG, "SQLITE_TOOBIG", OUTBOX_INVALID, "SQLite takes values up to 1 GB"},
    {SQLITE_MISMATCH, "SQLITE_MISMATCH", OUTBOX_INVALID, "the table refuses the value"},
    {SQLITE_ERROR, "SQLITE_ERROR", OUTBOX_SCHEMA,
     "look at the table with `outbox-relay check --connect`"},
    {SQLITE_SCHEMA, "SQLITE_SCHEMA", OUTBOX_SCHEMA,
     "look at the table with `outbox-relay check --connect`"},
    {SQLITE_INTERRUPT, "SQLITE_INTERRUPT", OUTBOX_INTERRUPTED, "the relay stopped it"},
    {SQLITE_NOMEM, "SQLITE_NOMEM", OUTBOX_INTERNAL, "memory is out"},
    {SQLITE_MISUSE, "SQLITE_MISUSE", OUTBOX_INTERNAL, "a fault of this driver: please report it"},
};

static const struct meaning *meaning_of(int extended)
{
    static const struct meaning unknown = {0, "SQLITE", OUTBOX_INTERNAL, "an unexpected answer"};
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].code == extended || meanings[i].code == (extended & 0xff))
            return &meanings[i];
    }
    return &unknown;
}

enum outbox_status failure_of(const struct outbox_store *store, sqlite3 *db, const char *doing,
                              struct outbox_error *error)
{
    if (!db)
        return failure_no_memory(doing, error);
    int code = sqlite3_extended_errcode(db);
    int system_error = sqlite3_system_errno(db);
    const struct meaning *meaning = meaning_of(code);
    enum outbox_status status = meaning->status;
    const char *remedy = meaning->remedy;
    if (meaning->code == SQLITE_CANTOPEN && (system_error == EACCES || system_error == EPERM)) {
        status = OUTBOX_DENIED;
        remedy = RIGHT_REMEDY;
    }
    char native[32];
    if (code == meaning->code)
        (void)snprintf(native, sizeof(native), "%s", meaning->name);
    else /* the detail, as a number: SQLite has no function that names it */
        (void)snprintf(native, sizeof(native), "%s(%d)", meaning->name, code);
    return outbox_fail(error, status, native, "%s, %.160s: %.120s; %s", doing, store->path,
                       sqlite3_errmsg(db), remedy);
}

enum outbox_status failure(struct outbox_session *session, const char *doing,
                           struct outbox_error *error)
{
    sqlite3 *db = session->db;
    bool stopped =
        db && atomic_load(&session->interrupted) && (sqlite3_errcode(db) & 0xff) == SQLITE_BUSY;
    if (stopped) /* while it waited for the lock, where sqlite3_interrupt() is not looked at */
        return outbox_fail(error, OUTBOX_INTERRUPTED, "SQLITE_BUSY",
                           "%s, %.200s: interrupted while waiting for the lock", doing,
                           session->store->path);
    return failure_of(session->store, db, doing, error);
}

enum outbox_status failure_no_memory(const char *doing, struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "%s: memory is out", doing);
}
