/*
 * floor_sqlite.c - the fastest bare loop that claims and settles events in an SQLite file
 * SPDX-License-Identifier: MIT
 *
 * Publishes nothing. A transaction settles a batch and claims the next: one sync of the log each.
 * Rows are changed by row number, a whole run of neighbours with one statement. The writer lock
 * lets nobody hold rows while others work, so there is mode lease only, and a second connection
 * would only wait.
 */
#include "floor_common.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUERY_SIZE = 1024 };

#define CLOCK "strftime('%Y-%m-%d %H:%M:%f','now')"

enum statement { BEGIN, COMMIT, CLAIM, MARK, SETTLE, STATEMENT_COUNT };

/* The '+' keeps the search on the row number. */
static const char *const patterns[STATEMENT_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [CLAIM] =
        "SELECT rowid, event_id, event_type, payload, headers, partition_key, ordering_key, "
        "aggregate_type, aggregate_id, attempts, created_at, available_at FROM \"%s\" WHERE "
        "status = 'PENDING' AND available_at <= " CLOCK " ORDER BY available_at, rowid LIMIT ?1",
    [MARK] = "UPDATE \"%s\" SET status = 'DELIVERING', locked_by = ?3, locked_at = " CLOCK
             ", updated_at = " CLOCK " WHERE rowid BETWEEN ?1 AND ?2 AND +status = 'PENDING'",
    [SETTLE] = "UPDATE \"%s\" SET status = 'DELIVERED', delivered_at = " CLOCK
               ", locked_by = NULL, locked_at = NULL, updated_at = " CLOCK
               " WHERE rowid BETWEEN ?1 AND ?2 AND +locked_by = ?3 AND +status = 'DELIVERING'",
};

static const char delete_pattern[] = "DELETE FROM \"%s\" WHERE rowid BETWEEN ?1 AND ?2 AND "
                                     "+locked_by = ?3 AND +status = 'DELIVERING'";

/* A run of neighbouring rows, all of the claim. */
struct run {
    int64_t first, last;
};

struct drain {
    const struct floor_options *options;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct run *runs;
    size_t run_count;
    unsigned count; /* events in the runs */
    char token[64];
    uint64_t claims, events;
};

static bool complain(const struct drain *drain, const char *doing)
{
    fprintf(stderr, "floor_sqlite: %s: %s\n", doing, sqlite3_errmsg(drain->db));
    return false;
}

static bool open_file(struct drain *drain)
{
    static const char settings[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
                                   "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -4096;";
    if (sqlite3_open_v2(drain->options->url, &drain->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return complain(drain, "open");
    if (sqlite3_exec(drain->db, settings, NULL, NULL, NULL) != SQLITE_OK)
        return complain(drain, "settings");
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        char query[QUERY_SIZE];
        bool deletes = i == SETTLE && drain->options->delete_settled;
        (void)snprintf(query, sizeof query, deletes ? delete_pattern : patterns[i],
                       drain->options->table);
        if (sqlite3_prepare_v3(drain->db, query, -1, SQLITE_PREPARE_PERSISTENT,
                               &drain->statements[i], NULL) != SQLITE_OK)
            return complain(drain, query);
    }
    return true;
}

static bool execute(struct drain *drain, enum statement id)
{
    int code = sqlite3_step(drain->statements[id]);
    (void)sqlite3_reset(drain->statements[id]);
    return code == SQLITE_DONE || complain(drain, patterns[id]);
}

/* Runs MARK or SETTLE over every run of the batch. */
static bool change_rows(struct drain *drain, enum statement id)
{
    sqlite3_stmt *statement = drain->statements[id];
    unsigned changed = 0;
    for (size_t i = 0; i < drain->run_count; i++) {
        if (sqlite3_bind_int64(statement, 1, drain->runs[i].first) != SQLITE_OK ||
            sqlite3_bind_int64(statement, 2, drain->runs[i].last) != SQLITE_OK ||
            sqlite3_bind_text(statement, 3, drain->token, -1, SQLITE_STATIC) != SQLITE_OK)
            return complain(drain, "bind");
        if (!execute(drain, id))
            return false;
        changed += (unsigned)sqlite3_changes(drain->db);
    }
    if (changed == drain->count)
        return true;
    fprintf(stderr, "floor_sqlite: changed %u of %u events\n", changed, drain->count);
    return false;
}

static void note_row(struct drain *drain, int64_t row)
{
    drain->count++;
    if (drain->run_count && drain->runs[drain->run_count - 1].last + 1 == row)
        drain->runs[drain->run_count - 1].last = row;
    else
        drain->runs[drain->run_count++] = (struct run){row, row};
}

/* What a relay has to keep of a row beyond the transaction, copied once into one buffer's worth: a
 * bare loop need not keep it, so the columns are only fetched. */
static void fetch_columns(sqlite3_stmt *statement)
{
    for (int column = 1; column < sqlite3_column_count(statement); column++) {
        (void)sqlite3_column_blob(statement, column);
        (void)sqlite3_column_bytes(statement, column);
    }
}

static bool claim(struct drain *drain)
{
    sqlite3_stmt *statement = drain->statements[CLAIM];
    drain->run_count = 0;
    drain->count = 0;
    (void)snprintf(drain->token, sizeof drain->token, "floor-%" PRIu64, drain->claims++);
    if (sqlite3_bind_int64(statement, 1, drain->options->batch) != SQLITE_OK)
        return complain(drain, "bind");
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        note_row(drain, sqlite3_column_int64(statement, 0));
        fetch_columns(statement);
    }
    (void)sqlite3_reset(statement);
    if (code != SQLITE_DONE)
        return complain(drain, "claim");
    drain->events += drain->count;
    return change_rows(drain, MARK);
}

static bool work(struct drain *drain)
{
    do {
        if (!execute(drain, BEGIN) || !change_rows(drain, SETTLE) || !claim(drain) ||
            !execute(drain, COMMIT))
            return false;
    } while (drain->count);
    return true;
}

static void close_file(struct drain *drain)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(drain->statements[i]);
    (void)sqlite3_close(drain->db);
    free(drain->runs);
}

int main(int argc, char **argv)
{
    struct floor_options options;
    bool done;
    int status = floor_options_parse(argc, argv, &options, &done);
    if (status || done)
        return status;
    if (options.hold || options.by_id || options.connections != 1) {
        fputs("floor_sqlite: there is one writer: mode lease, by row, one connection\n", stderr);
        return 2;
    }
    struct drain drain = {.options = &options};
    drain.runs = calloc(options.batch, sizeof *drain.runs);
    bool drained = drain.runs && open_file(&drain);
    int64_t started = floor_now();
    drained = drained && work(&drain);
    int64_t elapsed = floor_now() - started;
    close_file(&drain);
    if (!drained)
        return EXIT_FAILURE;
    floor_report(&options, drain.events, elapsed);
    return EXIT_SUCCESS;
}
