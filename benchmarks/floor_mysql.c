/*
 * floor_mysql.c - the fastest bare loop that claims and settles events in MySQL or MariaDB
 * SPDX-License-Identifier: MIT
 *
 * Publishes nothing. Settling a batch and claiming the next are one transaction in mode lease; in
 * mode hold the commit of one batch is followed by the claim of the next. Every statement is
 * prepared once, for a whole batch of keys; a shorter batch repeats its last key. Rows are found
 * again by their primary key, the sequence. A claim begins behind the last one, and only a claim
 * that found nothing there looks from the start again.
 */
#include "floor_common.h"

#include <inttypes.h>
#include <mysql.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEADLOCK = 1213, FIELDS = 12, FIELD_SIZE = 4096, TEXT_SIZE = 600 };
enum { FIELD_SEQ, FIELD_AVAILABLE };

/* A place in the order of claiming: available_at, then seq. `order` is the time as one number. */
struct position {
    int64_t order, seq;
    MYSQL_TIME available_at;
};

static const struct position at_start = {
    .available_at = {.year = 1970, .month = 1, .day = 2, .time_type = MYSQL_TIMESTAMP_DATETIME}};

struct address {
    char user[64], password[64], host[128], database[64], socket[128];
    unsigned port;
};

struct drain {
    const struct floor_options *options;
    struct address address;
    pthread_mutex_t lock;
    struct position behind; /* everything up to here has been claimed by one of us */
    bool confirming;        /* a worker looks from the start, to know that nothing is left */
};

struct worker {
    struct drain *drain;
    pthread_t thread;
    MYSQL *connection;
    MYSQL_STMT *claim, *lease, *settle;
    MYSQL_BIND results[FIELDS];
    char fields[FIELDS][FIELD_SIZE];
    MYSQL_TIME available_at;
    int64_t seq;
    MYSQL_BIND *keys; /* a batch of them, then the token */
    int64_t *claimed; /* the keys of the batch that was claimed, and of the one to settle */
    int64_t *settling;
    unsigned count; /* of `settling` */
    char token[64], next_token[64];
    unsigned number;
    uint64_t claims, events;
    int64_t started, finished;
    bool from_start; /* the next claim looks from the start */
    bool failed;
};

static void complain(struct worker *worker, const char *doing, const char *why)
{
    fprintf(stderr, "floor_mysql: %s: %s\n", doing, why);
    worker->failed = true;
}

static bool is_before(const struct position *a, const struct position *b)
{
    return a->order != b->order ? a->order < b->order : a->seq < b->seq;
}

static int64_t order_of(const MYSQL_TIME *time)
{
    int64_t day = ((int64_t)time->year * 16 + time->month) * 32 + time->day;
    int64_t second = ((int64_t)time->hour * 64 + time->minute) * 64 + time->second;
    return (day * 131072 + second) * 1000000 + (int64_t)time->second_part;
}

/* ---- Statements --------------------------------------------------------------------------- */

static MYSQL_STMT *prepare(struct worker *worker, const char *sql, size_t len)
{
    MYSQL_STMT *statement = mysql_stmt_init(worker->connection);
    if (statement && mysql_stmt_prepare(statement, sql, len) == 0)
        return statement;
    complain(worker, "prepare a statement",
             statement ? mysql_stmt_error(statement) : "out of memory");
    return statement;
}

static MYSQL_STMT *prepare_claim(struct worker *worker)
{
    char sql[TEXT_SIZE];
    int len =
        snprintf(sql, sizeof sql,
                 "SELECT seq, available_at, event_id, event_type, payload, headers, "
                 "partition_key, ordering_key, aggregate_type, aggregate_id, attempts, "
                 "created_at FROM %s FORCE INDEX (outbox_claim) WHERE status = 'PENDING' AND "
                 "available_at <= NOW(6) AND ((available_at = ? AND seq > ?) OR "
                 "available_at > ?) ORDER BY available_at, seq LIMIT ? FOR UPDATE SKIP LOCKED",
                 worker->drain->options->table);
    return prepare(worker, sql, (size_t)len);
}

/* `what` is followed by a list of keys, then by `proof`. */
static MYSQL_STMT *prepare_keyed(struct worker *worker, const char *what, const char *proof)
{
    unsigned batch = worker->drain->options->batch;
    size_t size = strlen(what) + strlen(proof) + 2 * (size_t)batch + TEXT_SIZE;
    char *sql = malloc(size);
    if (!sql)
        return NULL;
    size_t len = (size_t)snprintf(sql, size, "%s WHERE seq IN (?", what);
    for (unsigned i = 1; i < batch; i++, len += 2)
        memcpy(sql + len, ",?", 2);
    len += (size_t)snprintf(sql + len, size - len, ")%s", proof);
    MYSQL_STMT *statement = prepare(worker, sql, len);
    free(sql);
    return statement;
}

static MYSQL_STMT *prepare_lease(struct worker *worker)
{
    char what[TEXT_SIZE];
    (void)snprintf(what, sizeof what,
                   "UPDATE %s SET status = 'DELIVERING', locked_at = NOW(6), updated_at = NOW(6), "
                   "locked_by = ?",
                   worker->drain->options->table);
    return prepare_keyed(worker, what, "");
}

static MYSQL_STMT *prepare_settle(struct worker *worker)
{
    const struct floor_options *options = worker->drain->options;
    char what[TEXT_SIZE];
    if (options->delete_settled)
        (void)snprintf(what, sizeof what, "DELETE FROM %s", options->table);
    else
        (void)snprintf(what, sizeof what,
                       "UPDATE %s SET status = 'DELIVERED', delivered_at = NOW(6), "
                       "locked_by = NULL, locked_at = NULL, updated_at = NOW(6)",
                       options->table);
    return prepare_keyed(worker, what,
                         options->hold ? "" : " AND locked_by = ? AND status = 'DELIVERING'");
}

/* ---- A connection ------------------------------------------------------------------------- */

static const char *take(const char *from, const char *stops, char *to, size_t size)
{
    size_t len = strcspn(from, stops);
    (void)snprintf(to, size, "%.*s", (int)len, from);
    return from + len;
}

/* mysql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?socket=PATH], nothing of it encoded. */
static bool parse(const char *url, struct address *address)
{
    char port[8] = "3306";
    if (strncmp(url, "mysql://", 8) != 0 || !strchr(url, '@'))
        return false;
    url = take(url + 8, ":@", address->user, sizeof address->user);
    if (*url == ':')
        url = take(url + 1, "@", address->password, sizeof address->password);
    url = take(url + 1, ":/", address->host, sizeof address->host);
    if (*url == ':')
        url = take(url + 1, "/", port, sizeof port);
    if (*url != '/')
        return false;
    url = take(url + 1, "?", address->database, sizeof address->database);
    if (strncmp(url, "?socket=", 8) == 0)
        (void)take(url + 8, "&", address->socket, sizeof address->socket);
    address->port = (unsigned)strtoul(port, NULL, 10);
    return true;
}

static bool run(struct worker *worker, const char *sql)
{
    if (mysql_query(worker->connection, sql) == 0)
        return true;
    complain(worker, sql, mysql_error(worker->connection));
    return false;
}

static void bind_results(struct worker *worker)
{
    for (int i = 0; i < FIELDS; i++)
        worker->results[i] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
                                          .buffer = worker->fields[i],
                                          .buffer_length = FIELD_SIZE};
    worker->results[FIELD_SEQ] =
        (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &worker->seq};
    worker->results[FIELD_AVAILABLE] =
        (MYSQL_BIND){.buffer_type = MYSQL_TYPE_DATETIME, .buffer = &worker->available_at};
}

static bool open_connection(struct worker *worker)
{
    const struct address *address = &worker->drain->address;
    worker->connection = mysql_init(NULL);
    if (!worker->connection ||
        !mysql_real_connect(worker->connection, address->host, address->user, address->password,
                            address->database, address->port,
                            address->socket[0] ? address->socket : NULL, CLIENT_FOUND_ROWS)) {
        complain(worker, "connect",
                 worker->connection ? mysql_error(worker->connection) : "out of memory");
        return false;
    }
    bool is_mariadb = strstr(mysql_get_server_info(worker->connection), "MariaDB") != NULL;
    if (!run(worker, is_mariadb ? "SET time_zone = '+00:00', tx_isolation = 'READ-COMMITTED', "
                                  "autocommit = 0, in_predicate_conversion_threshold = 0"
                                : "SET time_zone = '+00:00', autocommit = 0, "
                                  "transaction_isolation = 'READ-COMMITTED', "
                                  "range_optimizer_max_mem_size = 0"))
        return false;
    worker->claim = prepare_claim(worker);
    worker->lease = worker->drain->options->hold ? NULL : prepare_lease(worker);
    worker->settle = prepare_settle(worker);
    if (worker->failed || !worker->claim || !worker->settle)
        return false;
    bind_results(worker);
    if (mysql_stmt_bind_result(worker->claim, worker->results) == 0)
        return true;
    complain(worker, "bind results", mysql_stmt_error(worker->claim));
    return false;
}

static void close_connection(struct worker *worker)
{
    MYSQL_STMT *const statements[] = {worker->claim, worker->lease, worker->settle};
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (statements[i])
            (void)mysql_stmt_close(statements[i]);
    if (worker->connection)
        mysql_close(worker->connection);
}

/* ---- A round ------------------------------------------------------------------------------ */

/* An outcome of a statement: on a deadlock the server has rolled the transaction back. */
enum outcome { DONE, AGAIN, FAILED };

static enum outcome failure(struct worker *worker, MYSQL_STMT *statement, const char *doing)
{
    if (mysql_stmt_errno(statement) == DEADLOCK)
        return AGAIN;
    complain(worker, doing, mysql_stmt_error(statement));
    return FAILED;
}

static MYSQL_BIND bind_token(char *token)
{
    return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
                        .buffer = token,
                        .buffer_length = (unsigned long)strlen(token)};
}

/* The token comes before the keys, behind them, or not at all. */
static enum outcome run_keyed(struct worker *worker, MYSQL_STMT *statement, int64_t *keys,
                              unsigned count, char *before, char *behind)
{
    unsigned batch = worker->drain->options->batch, at = 0;
    if (before)
        worker->keys[at++] = bind_token(before);
    for (unsigned i = 0; i < batch; i++)
        worker->keys[at++] =
            (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &keys[i < count ? i : 0]};
    if (behind)
        worker->keys[at] = bind_token(behind);
    if (mysql_stmt_bind_param(statement, worker->keys) != 0 || mysql_stmt_execute(statement) != 0)
        return failure(worker, statement, "write a batch");
    if (mysql_stmt_affected_rows(statement) == count)
        return DONE;
    fprintf(stderr, "floor_mysql: wrote %" PRIu64 " of %u events\n",
            (uint64_t)mysql_stmt_affected_rows(statement), count);
    worker->failed = true;
    return FAILED;
}

static enum outcome claim(struct worker *worker, const struct position *behind, unsigned *count,
                          struct position *last)
{
    MYSQL_TIME time = behind->available_at;
    int64_t seq = behind->seq, limit = worker->drain->options->batch;
    MYSQL_BIND binds[] = {
        {.buffer_type = MYSQL_TYPE_DATETIME, .buffer = &time},
        {.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &seq},
        {.buffer_type = MYSQL_TYPE_DATETIME, .buffer = &time},
        {.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &limit},
    };
    *count = 0;
    if (mysql_stmt_bind_param(worker->claim, binds) != 0 || mysql_stmt_execute(worker->claim) != 0)
        return failure(worker, worker->claim, "claim");
    int fetched;
    while ((fetched = mysql_stmt_fetch(worker->claim)) == 0 || fetched == MYSQL_DATA_TRUNCATED) {
        struct position here = {order_of(&worker->available_at), worker->seq, worker->available_at};
        worker->claimed[(*count)++] = worker->seq;
        if (is_before(last, &here))
            *last = here;
    }
    if (fetched != MYSQL_NO_DATA)
        return failure(worker, worker->claim, "read a claim");
    (void)mysql_stmt_free_result(worker->claim);
    return DONE;
}

static enum outcome settle(struct worker *worker)
{
    bool hold = worker->drain->options->hold;
    if (worker->count == 0)
        return DONE;
    return run_keyed(worker, worker->settle, worker->settling, worker->count, NULL,
                     hold ? NULL : worker->token);
}

static enum outcome transact(struct worker *worker, const struct position *behind, unsigned *count,
                             struct position *last)
{
    bool hold = worker->drain->options->hold;
    enum outcome outcome = settle(worker);
    if (outcome == DONE && hold && !run(worker, "COMMIT"))
        return FAILED;
    if (outcome == DONE)
        outcome = claim(worker, behind, count, last);
    if (outcome == DONE && !hold && *count > 0) {
        /* As long as a relay's: rows that grow by it split pages. */
        (void)snprintf(worker->next_token, sizeof worker->next_token,
                       "outbox-relay:floor-%04u-000000:%024" PRIu64, worker->number,
                       worker->claims++);
        outcome =
            run_keyed(worker, worker->lease, worker->claimed, *count, worker->next_token, NULL);
    }
    if (outcome == DONE && !hold && !run(worker, "COMMIT"))
        return FAILED;
    return outcome;
}

/* ---- The loop ----------------------------------------------------------------------------- */

/* Whether the worker has to go on after a claim that found `count` events. */
static bool go_on(struct worker *worker, uint64_t count, const struct position *last)
{
    struct drain *drain = worker->drain;
    bool more = true;
    (void)pthread_mutex_lock(&drain->lock);
    if (count) {
        if (is_before(&drain->behind, last))
            drain->behind = *last;
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

/* In mode hold the rolled back rows are pending again, and before where claims begin. */
static bool start_over(struct worker *worker)
{
    if (!run(worker, "ROLLBACK"))
        return false;
    if (!worker->drain->options->hold)
        return true;
    worker->events -= worker->count;
    worker->count = 0;
    (void)pthread_mutex_lock(&worker->drain->lock);
    worker->drain->behind = at_start;
    (void)pthread_mutex_unlock(&worker->drain->lock);
    return true;
}

static bool one_round(struct worker *worker)
{
    struct drain *drain = worker->drain;
    (void)pthread_mutex_lock(&drain->lock);
    struct position behind = worker->from_start ? at_start : drain->behind;
    (void)pthread_mutex_unlock(&drain->lock);
    struct position last = at_start;
    unsigned count = 0;
    enum outcome outcome = transact(worker, &behind, &count, &last);
    if (outcome == AGAIN)
        return start_over(worker);
    if (outcome == FAILED)
        return false;
    int64_t *settled = worker->settling;
    worker->settling = worker->claimed;
    worker->claimed = settled;
    memcpy(worker->token, worker->next_token, sizeof worker->token);
    worker->count = count;
    worker->events += count;
    return go_on(worker, count, &last);
}

static void *work(void *context)
{
    struct worker *worker = context;
    unsigned batch = worker->drain->options->batch;
    worker->keys = calloc((size_t)batch + 1, sizeof *worker->keys);
    worker->claimed = calloc(batch, sizeof *worker->claimed);
    worker->settling = calloc(batch, sizeof *worker->settling);
    if (!worker->keys || !worker->claimed || !worker->settling) {
        complain(worker, "start", "out of memory");
    } else if (open_connection(worker)) {
        worker->started = floor_now();
        while (one_round(worker))
            ;
        worker->finished = floor_now();
    }
    close_connection(worker);
    free(worker->keys);
    free(worker->claimed);
    free(worker->settling);
    mysql_thread_end();
    return NULL;
}

static bool drain_all(struct drain *drain, struct worker *workers)
{
    for (unsigned i = 0; i < drain->options->connections; i++) {
        workers[i] = (struct worker){.drain = drain, .number = i};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            fputs("floor_mysql: cannot start a thread\n", stderr);
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
    struct drain drain = {
        .options = &options, .lock = PTHREAD_MUTEX_INITIALIZER, .behind = at_start};
    if (!parse(options.url, &drain.address)) {
        fprintf(stderr, "floor_mysql: --url: want mysql://USER@HOST:PORT/DATABASE?socket=PATH\n");
        return 2;
    }
    if (mysql_library_init(0, NULL, NULL) != 0)
        return EXIT_FAILURE;
    struct worker *workers = calloc(FLOOR_MAX_CONNECTIONS, sizeof *workers);
    if (!workers || !drain_all(&drain, workers)) {
        free(workers);
        return EXIT_FAILURE;
    }
    uint64_t events = 0;
    int64_t started = INT64_MAX, finished = 0;
    for (unsigned i = 0; i < options.connections; i++) {
        events += workers[i].events;
        started = workers[i].started < started ? workers[i].started : started;
        finished = workers[i].finished > finished ? workers[i].finished : finished;
    }
    free(workers);
    mysql_library_end();
    floor_report(&options, events, finished - started);
    return EXIT_SUCCESS;
}
