/*
 * floor_postgres.c - the fastest bare loop that claims and settles events in PostgreSQL
 * SPDX-License-Identifier: MIT
 *
 * Publishes nothing. Settling a batch and claiming the next share one round trip, and in mode lease
 * one transaction; rows come back in binary; a claim begins behind the last one, and only a claim
 * that found nothing there looks from the start again. Rows are settled by their address (ctid): it
 * holds as long as nobody else can change the row, which the row lock or the lease's token sees to.
 */
#include "floor_common.h"

#include <arpa/inet.h>
#include <endian.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TID_OID = 27, UUID_OID = 2950, ARRAY_HEADER = 20, QUERY_SIZE = 2048 };
enum { COLUMN_ROW, COLUMN_ID, COLUMN_AVAILABLE, COLUMN_SEQ };

/* A place in the order of claiming: available_at in the server's binary form, then seq. */
struct position {
    int64_t available_at, seq;
};

static const struct position at_start = {INT64_MIN, INT64_MIN};

struct drain {
    const struct floor_options *options;
    pthread_mutex_t lock;
    struct position behind; /* everything up to here has been claimed by one of us */
    bool confirming;        /* a worker looks from the start, to know that nothing is left */
};

struct worker {
    struct drain *drain;
    pthread_t thread;
    PGconn *connection;
    unsigned number;
    uint64_t claims, events;
    int64_t started, finished;
    char *rows;          /* ctid or id array of the batch to settle, in binary */
    int rows_size;       /* 0: nothing to settle */
    char token[64];      /* of the batch to settle */
    bool in_transaction; /* mode hold: one is open */
    bool from_start;     /* the next claim looks from the start */
    bool failed;
};

static void complain(struct worker *worker, const char *doing)
{
    fprintf(stderr, "floor_postgres: %s: %s", doing, PQerrorMessage(worker->connection));
    worker->failed = true;
}

static bool is_before(struct position a, struct position b)
{
    return a.available_at != b.available_at ? a.available_at < b.available_at : a.seq < b.seq;
}

/* ---- Statements --------------------------------------------------------------------------- */

static const char picked_rows[] = "SELECT ctid FROM %s WHERE status = 'PENDING' AND available_at "
                                  "<= now() AND (available_at, seq) > "
                                  "($1::timestamptz, $2::bigint) ORDER BY available_at, seq LIMIT "
                                  "$3::bigint FOR UPDATE SKIP LOCKED";

#define EVENT_COLUMNS                                                                              \
    "ctid, event_id, available_at, seq, event_type, payload, headers, partition_key, "             \
    "ordering_key, aggregate_type, aggregate_id, attempts, created_at"

static void claim_query(const struct floor_options *options, char *query, size_t size)
{
    if (options->hold) {
        (void)snprintf(query, size,
                       "SELECT " EVENT_COLUMNS
                       " FROM %s WHERE status = 'PENDING' AND available_at <= now() AND "
                       "(available_at, seq) > ($1::timestamptz, $2::bigint) ORDER BY "
                       "available_at, seq LIMIT $3::bigint FOR UPDATE SKIP LOCKED",
                       options->table);
        return;
    }
    char picked[QUERY_SIZE / 2];
    (void)snprintf(picked, sizeof picked, picked_rows, options->table);
    (void)snprintf(query, size,
                   "UPDATE %s SET status = 'DELIVERING', locked_by = $4::text, locked_at = now(), "
                   "updated_at = now() WHERE ctid = ANY (ARRAY(%s)) RETURNING " EVENT_COLUMNS,
                   options->table, picked);
}

static void settle_query(const struct floor_options *options, char *query, size_t size)
{
    const char *rows = options->by_id ? "event_id = ANY ($1::uuid[])" : "ctid = ANY ($1::tid[])";
    const char *proof = options->hold ? "" : " AND locked_by = $2::text AND status = 'DELIVERING'";
    if (options->delete_settled)
        (void)snprintf(query, size, "DELETE FROM %s WHERE %s%s", options->table, rows, proof);
    else
        (void)snprintf(
            query, size,
            "UPDATE %s SET status = 'DELIVERED', delivered_at = now(), locked_by = NULL, "
            "locked_at = NULL, updated_at = now() WHERE %s%s",
            options->table, rows, proof);
}

/* ---- A connection ------------------------------------------------------------------------- */

static bool run(struct worker *worker, const char *query)
{
    PGresult *result = PQexec(worker->connection, query);
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (!done)
        complain(worker, query);
    return done;
}

static bool prepare(struct worker *worker, const char *name, const char *query)
{
    PGresult *result = PQprepare(worker->connection, name, query, 0, NULL);
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (!done)
        complain(worker, query);
    return done;
}

static bool open_connection(struct worker *worker)
{
    const struct floor_options *options = worker->drain->options;
    char query[QUERY_SIZE];
    worker->connection = PQconnectdb(options->url);
    if (PQstatus(worker->connection) != CONNECTION_OK) {
        complain(worker, "connect");
        return false;
    }
    if (!run(worker, "SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off; "
                     "SET enable_hashjoin = off; SET enable_mergejoin = off; "
                     "SET plan_cache_mode = force_generic_plan; "
                     "SET default_transaction_isolation = 'read committed'"))
        return false;
    claim_query(options, query, sizeof query);
    if (!prepare(worker, "claim", query))
        return false;
    settle_query(options, query, sizeof query);
    if (!prepare(worker, "settle", query) || !prepare(worker, "begin", "BEGIN") ||
        !prepare(worker, "commit", "COMMIT"))
        return false;
    return PQenterPipelineMode(worker->connection) == 1;
}

/* ---- Sending a round trip ----------------------------------------------------------------- */

static bool send_bare(struct worker *worker, const char *name)
{
    return PQsendQueryPrepared(worker->connection, name, 0, NULL, NULL, NULL, 1) == 1;
}

static bool send_settle(struct worker *worker)
{
    const char *values[] = {worker->rows, worker->token};
    int lengths[] = {worker->rows_size, (int)strlen(worker->token)};
    int formats[] = {1, 1};
    int count = worker->drain->options->hold ? 1 : 2;
    return PQsendQueryPrepared(worker->connection, "settle", count, values, lengths, formats, 1) ==
           1;
}

static bool send_claim(struct worker *worker, struct position behind)
{
    const struct floor_options *options = worker->drain->options;
    uint64_t available_at = htobe64((uint64_t)behind.available_at);
    uint64_t seq = htobe64((uint64_t)behind.seq);
    uint64_t limit = htobe64(options->batch);
    char token[sizeof worker->token];
    (void)snprintf(token, sizeof token, "floor-%u-%" PRIu64, worker->number, worker->claims++);
    const char *values[] = {(char *)&available_at, (char *)&seq, (char *)&limit, token};
    int lengths[] = {8, 8, 8, (int)strlen(token)};
    int formats[] = {1, 1, 1, 1};
    int count = options->hold ? 3 : 4;
    memcpy(worker->token, token, sizeof token);
    return PQsendQueryPrepared(worker->connection, "claim", count, values, lengths, formats, 1) ==
           1;
}

static bool send_round(struct worker *worker, struct position behind)
{
    bool hold = worker->drain->options->hold;
    bool sent = true;
    if (worker->rows_size)
        sent = send_settle(worker);
    sent = sent && (!worker->in_transaction || send_bare(worker, "commit")) &&
           (!hold || send_bare(worker, "begin")) && send_claim(worker, behind) &&
           PQpipelineSync(worker->connection) == 1;
    if (!sent)
        complain(worker, "send");
    return sent;
}

/* ---- Reading its answers ------------------------------------------------------------------ */

/* The next statement's one result; its closing NULL is read too. */
static PGresult *next_result(struct worker *worker, ExecStatusType expected, const char *doing)
{
    PGresult *result = PQgetResult(worker->connection);
    if (PQresultStatus(result) != expected) {
        complain(worker, doing);
        PQclear(result);
        return NULL;
    }
    if (expected == PGRES_PIPELINE_SYNC)
        return result;
    PGresult *rest = PQgetResult(worker->connection);
    PQclear(rest);
    return result;
}

static bool skip_result(struct worker *worker, ExecStatusType expected, const char *doing)
{
    PGresult *result = next_result(worker, expected, doing);
    PQclear(result);
    return result != NULL;
}

static bool check_settled(struct worker *worker, uint64_t expected)
{
    PGresult *result = next_result(worker, PGRES_COMMAND_OK, "settle");
    if (!result)
        return false;
    uint64_t settled = strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    if (settled == expected)
        return true;
    fprintf(stderr, "floor_postgres: settled %" PRIu64 " of %" PRIu64 " events\n", settled,
            expected);
    worker->failed = true;
    return false;
}

static void put32(char *at, uint32_t value)
{
    value = htonl(value);
    memcpy(at, &value, sizeof value);
}

static int64_t get64(const PGresult *result, int row, int column)
{
    uint64_t value;
    memcpy(&value, PQgetvalue(result, row, column), sizeof value);
    return (int64_t)be64toh(value);
}

/* Writes the rows' addresses as a one-dimensional array parameter, notes the last place. */
static void keep_rows(struct worker *worker, const PGresult *result, struct position *last)
{
    bool by_id = worker->drain->options->by_id;
    int count = PQntuples(result);
    size_t width = by_id ? 16 : 6;
    char *at = worker->rows;
    const uint32_t header[] = {1, 0, by_id ? UUID_OID : TID_OID, (uint32_t)count, 1};
    for (size_t i = 0; i < sizeof header / sizeof *header; i++, at += 4)
        put32(at, header[i]);
    for (int i = 0; i < count; i++, at += 4 + width) {
        put32(at, (uint32_t)width);
        memcpy(at + 4, PQgetvalue(result, i, by_id ? COLUMN_ID : COLUMN_ROW), width);
        struct position here = {get64(result, i, COLUMN_AVAILABLE), get64(result, i, COLUMN_SEQ)};
        if (is_before(*last, here))
            *last = here;
    }
    worker->rows_size = count ? (int)(at - worker->rows) : 0;
}

static bool read_round(struct worker *worker, uint64_t settling, struct position *last)
{
    bool hold = worker->drain->options->hold;
    if (settling && !check_settled(worker, settling))
        return false;
    if (worker->in_transaction && !skip_result(worker, PGRES_COMMAND_OK, "commit"))
        return false;
    if (hold && !skip_result(worker, PGRES_COMMAND_OK, "begin"))
        return false;
    PGresult *result = next_result(worker, PGRES_TUPLES_OK, "claim");
    if (!result)
        return false;
    keep_rows(worker, result, last);
    worker->in_transaction = hold;
    worker->events += (uint64_t)PQntuples(result);
    PQclear(result);
    return skip_result(worker, PGRES_PIPELINE_SYNC, "sync");
}

/* ---- The loop ----------------------------------------------------------------------------- */

/* Whether the worker has to go on after a claim that found `count` events. */
static bool go_on(struct worker *worker, uint64_t count, struct position last)
{
    struct drain *drain = worker->drain;
    bool more = true;
    (void)pthread_mutex_lock(&drain->lock);
    if (count) {
        if (is_before(drain->behind, last))
            drain->behind = last;
        if (worker->from_start)
            drain->confirming = false;
        worker->from_start = false;
    } else if (worker->from_start || drain->confirming) {
        more = false;
    } else {
        drain->confirming = true;
        worker->from_start = true;
    }
    (void)pthread_mutex_unlock(&drain->lock);
    return more;
}

static bool one_round(struct worker *worker, uint64_t *settling)
{
    struct drain *drain = worker->drain;
    (void)pthread_mutex_lock(&drain->lock);
    struct position behind = worker->from_start ? at_start : drain->behind;
    (void)pthread_mutex_unlock(&drain->lock);
    struct position last = at_start;
    uint64_t before = worker->events;
    if (!send_round(worker, behind) || !read_round(worker, *settling, &last))
        return false;
    *settling = worker->events - before;
    return go_on(worker, *settling, last);
}

static void *work(void *context)
{
    struct worker *worker = context;
    uint64_t settling = 0;
    worker->rows = malloc(ARRAY_HEADER + (size_t)worker->drain->options->batch * 20);
    if (!worker->rows) {
        fputs("floor_postgres: out of memory\n", stderr);
        worker->failed = true;
        return NULL;
    }
    if (open_connection(worker)) {
        worker->started = floor_now();
        while (one_round(worker, &settling))
            ;
        worker->finished = floor_now();
    }
    PQfinish(worker->connection);
    free(worker->rows);
    return NULL;
}

static bool start(struct drain *drain, struct worker *workers)
{
    for (unsigned i = 0; i < drain->options->connections; i++) {
        workers[i] = (struct worker){.drain = drain, .number = i};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            fputs("floor_postgres: cannot start a thread\n", stderr);
            exit(EXIT_FAILURE);
        }
    }
    bool failed = false;
    for (unsigned i = 0; i < drain->options->connections; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        failed = failed || workers[i].failed;
    }
    return !failed;
}

int main(int argc, char **argv)
{
    struct floor_options options;
    bool done;
    int status = floor_options_parse(argc, argv, &options, &done);
    if (status || done)
        return status;
    struct worker workers[FLOOR_MAX_CONNECTIONS];
    struct drain drain = {
        .options = &options, .lock = PTHREAD_MUTEX_INITIALIZER, .behind = at_start};
    if (!start(&drain, workers))
        return EXIT_FAILURE;
    uint64_t events = 0;
    int64_t started = INT64_MAX, finished = 0;
    for (unsigned i = 0; i < options.connections; i++) {
        events += workers[i].events;
        started = workers[i].started < started ? workers[i].started : started;
        finished = workers[i].finished > finished ? workers[i].finished : finished;
    }
    floor_report(&options, events, finished - started);
    return EXIT_SUCCESS;
}
