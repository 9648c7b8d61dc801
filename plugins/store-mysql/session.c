/*
 * session.c - one connection: made, set up, interrupted, closed
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What the network and a busy server may take beyond statement_timeout before the connection is
 * given up. Seconds. */
enum { GRACE = 10 };

/* A lock that a settlement waits for is held by a transaction that is at its end, or stuck; a
 * claim waits for none. Seconds. */
enum { LOCK_WAIT = 5 };

enum { MARIADB_OLDEST = 100600, MYSQL_OLDEST = 80013 };

/* ---- Setting up --------------------------------------------------------------------------- */

/* A network that swallows packets is noticed within a minute or so, also where a statement may take
 * as long as it likes. */
static void set_keepalive(int socket)
{
    const int on = 1, idle = 30, interval = 10, probes = 3, unacknowledged = 30000;
    (void)setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    (void)setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged,
                     sizeof(unacknowledged));
}

static void take_limit(void *context, const char *const values[ANSWER_COLUMNS])
{
    *(uint64_t *)context = values[0] ? strtoull(values[0], NULL, 10) : 0;
}

static enum outbox_status check_version(struct outbox_session *session, struct outbox_error *error)
{
    const char *version = mysql_get_server_info(session->client);
    unsigned long number = mysql_get_server_version(session->client);
    session->is_mariadb = version && strstr(version, "MariaDB");
    if (number >= (session->is_mariadb ? MARIADB_OLDEST : MYSQL_OLDEST))
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_UNSUPPORTED, "",
                       "connect to the server: it is of version %.60s, MySQL 8.0.13 or MariaDB "
                       "10.6 is needed",
                       version ? version : "unknown");
}

/* Seconds; the servers know no "for ever". */
static long long longest_wait(int64_t limit)
{
    return limit > 0 ? (limit + 999) / 1000 : 31536000;
}

enum outbox_status session_wait_for_tables(struct outbox_session *session, int seconds,
                                           struct outbox_error *error)
{
    char sql[60];
    (void)snprintf(sql, sizeof(sql), "SET SESSION lock_wait_timeout = %lld",
                   seconds > 0 ? seconds
                               : longest_wait(session->store->settings.statement_timeout));
    return command_run(session, sql, "set up the session for", error);
}

static void take_switch(void *context, const char *const values[ANSWER_COLUMNS])
{
    *(bool *)context = values[1] && strcasecmp(values[1], "ON") == 0;
}

/* With it MariaDB fails a claim that comes upon an event which somebody else has changed meanwhile,
 * also under READ COMMITTED. Not every version has it. */
static enum outbox_status leave_snapshots(struct outbox_session *session,
                                          struct outbox_error *error)
{
    static const char what[] = "set up the session for";
    bool is_on = false;
    if (!session->is_mariadb)
        return OUTBOX_OK;
    parameters_start(session);
    enum outbox_status status =
        ask(session, "SHOW SESSION VARIABLES LIKE 'innodb_snapshot_isolation'", what, take_switch,
            &is_on, error);
    if (status != OUTBOX_OK || !is_on)
        return status;
    return command_run(session, "SET SESSION innodb_snapshot_isolation = OFF", what, error);
}

/* Nothing is left to what the server has for its sessions: a limit on the rows of a SELECT, or on
 * the kind of an UPDATE, must not come between claiming and settling, and some servers pay no heed
 * to the character set that the client asks for.
 *
 * Lists of keys are looked up one by one, however long they are: both makes of the server would
 * otherwise read the whole table from some length on. The limit on time differs: MySQL's is for
 * SELECT alone, but locks and definitions are waited for no longer either. */
static enum outbox_status set_up(struct outbox_session *session, bool endless,
                                 struct outbox_error *error)
{
    int64_t limit = endless ? 0 : session->store->settings.statement_timeout;
    char sql[1000], own[160];
    if (session->is_mariadb)
        (void)snprintf(own, sizeof(own),
                       "in_predicate_conversion_threshold = 0, max_statement_time = %lld.%03d",
                       (long long)(limit / 1000), (int)(limit % 1000));
    else
        (void)snprintf(own, sizeof(own),
                       "range_optimizer_max_mem_size = 0, information_schema_stats_expiry = 0,"
                       " max_execution_time = %lld",
                       (long long)limit);
    (void)snprintf(sql, sizeof(sql),
                   "SET SESSION time_zone = '+00:00', %s = 'READ-COMMITTED',"
                   " sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION',"
                   " character_set_client = utf8mb4, character_set_connection = utf8mb4,"
                   " character_set_results = utf8mb4, completion_type = 0, sql_safe_updates = 0,"
                   " sql_big_selects = 1, sql_select_limit = 18446744073709551615,"
                   " innodb_lock_wait_timeout = %d, lock_wait_timeout = %lld,"
                   " wait_timeout = 31536000, autocommit = 0, %s",
                   session->is_mariadb ? "tx_isolation" : "transaction_isolation", LOCK_WAIT,
                   longest_wait(limit), own);
    enum outbox_status status = command_run(session, sql, "set up the session for", error);
    if (status == OUTBOX_OK)
        status = leave_snapshots(session, error);
    parameters_start(session);
    if (status == OUTBOX_OK)
        status = ask(session, "SELECT @@max_allowed_packet", "set up the session for", take_limit,
                     &session->max_packet, error);
    return status == OUTBOX_OK ? commit(session, "set up the session for", error) : status;
}

/* ---- Connecting --------------------------------------------------------------------------- */

static unsigned whole_seconds(int64_t nanoseconds)
{
    int64_t seconds = (nanoseconds + 999999999) / 1000000000;
    return seconds < 1 ? 1 : seconds > 3600 ? 3600 : (unsigned)seconds;
}

static enum outbox_status connect_client(struct outbox_session *session, int64_t patience,
                                         bool endless, struct outbox_error *error)
{
    const struct settings *settings = &session->store->settings;
    unsigned read_timeout = 0;
    if (!endless && settings->statement_timeout > 0)
        read_timeout = whole_seconds(settings->statement_timeout * 1000000) + GRACE;
    session->client = client_new(settings, whole_seconds(patience), read_timeout);
    if (!session->client)
        return failure_of_memory(error);
    if (!client_connect(session->client, settings))
        return failure_to_connect(session->store, session->client, error);
    if (settings->address.tls != TLS_OFF && !mysql_get_ssl_cipher(session->client))
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "",
                           "connect to the server: it offers no "
                           "TLS; see `tls`");
    int socket = dup(client_socket(session->client));
    if (socket < 0)
        return outbox_fail(error, OUTBOX_INTERNAL, "", "connect to the server: no descriptor: %s",
                           strerror(errno));
    if (!settings->address.socket)
        set_keepalive(socket);
    (void)pthread_mutex_lock(&session->mutex);
    session->socket = socket;
    (void)pthread_mutex_unlock(&session->mutex);
    session->trip = INT64_MAX;
    session->lost = session->local_time = false;
    enum outbox_status status = check_version(session, error);
    return status == OUTBOX_OK ? set_up(session, endless, error) : status;
}

static void disconnect_client(struct outbox_session *session)
{
    claim_lost(session);
    session_forget_table(session);
    (void)pthread_mutex_lock(&session->mutex);
    int socket = session->socket;
    session->socket = -1;
    (void)pthread_mutex_unlock(&session->mutex);
    if (session->client)
        mysql_close(session->client);
    session->client = NULL;
    session->in_transaction = session->maintains = false;
    if (socket >= 0)
        (void)close(socket);
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

enum outbox_status session_connect(struct outbox_store *store, int64_t deadline,
                                   struct outbox_session **opened, struct outbox_error *error)
{
    struct outbox_session *session = calloc(1, sizeof(*session));
    if (!session)
        return failure_of_memory(error);
    session->store = store;
    session->socket = -1;
    (void)pthread_mutex_init(&session->mutex, NULL);
    init_condition(&session->woken);
    enum outbox_status status = OUTBOX_OK;
    if (getrandom(&session->random, sizeof(session->random), GRND_NONBLOCK) < 0)
        status = outbox_fail(error, OUTBOX_INTERNAL, "", "connect to the server: no randomness: %s",
                             strerror(errno));
    session->random |= 1;
    if (status == OUTBOX_OK)
        status = connect_client(session, deadline - store->host->now(store->host), false, error);
    if (status != OUTBOX_OK) {
        session_disconnect(session);
        return status;
    }
    *opened = session;
    return OUTBOX_OK;
}

enum outbox_status session_reconnect(struct outbox_session *session, bool endless,
                                     struct outbox_error *error)
{
    disconnect_client(session);
    enum outbox_status status = connect_client(session, INT64_C(10000000000), endless, error);
    session->lost |= status != OUTBOX_OK;
    return status == OUTBOX_OK ? OUTBOX_OK : OUTBOX_UNAVAILABLE;
}

void session_disconnect(struct outbox_session *session)
{
    disconnect_client(session);
    claims_clear(session);
    keys_clear(&session->keys);
    keys_clear(&session->mixed_keys);
    keys_clear(&session->held_keys);
    arena_clear(&session->held_memory);
    found_clear(&session->found);
    buffer_clear(&session->outcomes);
    buffer_clear(&session->key_list);
    free(session->parameters.values);
    free(session->parameters.binds);
    (void)pthread_cond_destroy(&session->woken);
    (void)pthread_mutex_destroy(&session->mutex);
    free(session);
}

void session_forget_table(struct outbox_session *session)
{
    statements_close(session);
    table_clear(&session->table);
    session->examined = false;
    session->forget = false;
}

/* ---- Interrupting ------------------------------------------------------------------------- */

/* The library waits in a read of its own, which ends when the connection is shut. The descriptor is
 * our duplicate of the library's, so that it cannot meanwhile be somebody else's. */
void session_interrupt(struct outbox_session *session)
{
    (void)pthread_mutex_lock(&session->mutex);
    if (session->running && !session->interrupted) {
        session->interrupted = true;
        if (session->socket >= 0)
            (void)shutdown(session->socket, SHUT_RDWR);
        (void)pthread_cond_broadcast(&session->woken);
    }
    (void)pthread_mutex_unlock(&session->mutex);
}

/* An interrupt that came while no op was running means none. */
void session_enter(struct outbox_session *session)
{
    (void)pthread_mutex_lock(&session->mutex);
    session->running = true;
    session->interrupted = false;
    (void)pthread_mutex_unlock(&session->mutex);
}

void session_leave(struct outbox_session *session)
{
    (void)pthread_mutex_lock(&session->mutex);
    session->running = false;
    session->lost |= session->interrupted;
    (void)pthread_mutex_unlock(&session->mutex);
}

bool session_interrupted(struct outbox_session *session)
{
    (void)pthread_mutex_lock(&session->mutex);
    bool interrupted = session->interrupted;
    (void)pthread_mutex_unlock(&session->mutex);
    return interrupted;
}

void session_pause(struct outbox_session *session, int64_t nanoseconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t end = until.tv_nsec + nanoseconds;
    until.tv_sec += (time_t)(end / 1000000000);
    until.tv_nsec = (long)(end % 1000000000);
    (void)pthread_mutex_lock(&session->mutex);
    int waited = 0;
    while (!session->interrupted && waited == 0)
        waited = pthread_cond_timedwait(&session->woken, &session->mutex, &until);
    (void)pthread_mutex_unlock(&session->mutex);
}
