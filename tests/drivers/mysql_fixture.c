/*
 * mysql_fixture.c - a MySQL or MariaDB for tests: looking behind the driver's back, opening stores
 * SPDX-License-Identifier: MIT
 */
#include "mysql_fixture.h"

#include <ctype.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

/* ---- The server --------------------------------------------------------------------------- */

/* Copies up to one of `stops` and returns what follows. */
static const char *take(const char *from, const char *stops, char *to, size_t size)
{
    size_t len = strcspn(from, stops);
    (void)snprintf(to, size, "%.*s", (int)len, from);
    return from + len;
}

/* mysql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?socket=PATH], nothing of it encoded. */
static bool parse(struct server *server)
{
    const char *at = server->url;
    char port[8] = "3306";
    if (strncmp(at, "mysql://", 8) != 0 || !strchr(at, '@'))
        return false;
    at = take(at + 8, ":@", server->user, sizeof(server->user));
    if (*at == ':')
        at = take(at + 1, "@", server->password, sizeof(server->password));
    at = take(at + 1, ":/", server->host, sizeof(server->host));
    if (*at == ':')
        at = take(at + 1, "/", port, sizeof(port));
    server->port = (unsigned)strtoul(port, NULL, 10);
    if (*at != '/')
        return false;
    at = take(at + 1, "?", server->database, sizeof(server->database));
    const char *socket = strstr(at, "socket=");
    if (socket)
        (void)take(socket + 7, "&", server->socket, sizeof(server->socket));
    return server->database[0] != '\0';
}

static MYSQL *connect_to(const struct server *server)
{
    MYSQL *client = mysql_init(NULL);
    if (!client)
        return NULL;
    unsigned protocol = server->socket[0] ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    (void)mysql_options(client, MYSQL_OPT_PROTOCOL, &protocol);
    (void)mysql_options(client, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (mysql_real_connect(client, server->host, server->user, server->password, server->database,
                           server->port, server->socket[0] ? server->socket : NULL, 0) &&
        mysql_query(client, "SET time_zone = '+00:00', lock_wait_timeout = 20") == 0)
        return client;
    print_error("%s\n", mysql_error(client));
    mysql_close(client);
    return NULL;
}

bool server_open(struct server *server, const char *url)
{
    *server = (struct server){.url = url};
    if (!parse(server))
        return false;
    server->client = connect_to(server);
    if (!server->client)
        return false;
    server->is_mariadb = strstr(mysql_get_server_info(server->client), "MariaDB") != NULL;
    server->version = mysql_get_server_version(server->client);
    return true;
}

void server_close(struct server *server)
{
    mysql_close(server->client);
}

struct server *server_of(const struct fixture *fixture)
{
    return fixture->contract->context;
}

MYSQL *connect_aside(struct fixture *fixture)
{
    MYSQL *client = connect_to(server_of(fixture));
    assert_non_null(client);
    return client;
}

void run_sql(MYSQL *client, const char *sql)
{
    if (mysql_query(client, sql) != 0)
        fail_msg("%s: %s", sql, mysql_error(client));
    MYSQL_RES *result = mysql_store_result(client);
    if (result)
        mysql_free_result(result);
}

void address_for(struct fixture *fixture, char url[1024], const char *login, const char *parameters)
{
    const struct server *server = server_of(fixture);
    (void)snprintf(url, 1024, "mysql://%s@%s:%u/%s%s", login, server->host, server->port,
                   server->database, parameters);
}

/* ---- What the contract needs -------------------------------------------------------------- */

static bool is_uuid(const char *text)
{
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return true;
}

/* The contract writes ids as text; the table has them as bytes. */
static void with_bytes(const char *sql, char *to, size_t size)
{
    size_t len = 0;
    while (*sql && len + 64 < size) {
        bool literal = sql[0] == '\'' && strlen(sql) > 37 && sql[37] == '\'' && is_uuid(sql + 1);
        if (!literal) {
            to[len++] = *sql++;
            continue;
        }
        len += (size_t)snprintf(to + len, size - len, "X'");
        for (int i = 1; i < 37; i++)
            if (sql[i] != '-')
                to[len++] = sql[i];
        to[len++] = '\'';
        sql += 38;
    }
    to[len] = '\0';
}

static MYSQL_RES *ask(struct server *server, const char *sql)
{
    char bytes[8192];
    if (!server->plain_ids) {
        with_bytes(sql, bytes, sizeof(bytes));
        sql = bytes;
    }
    if (mysql_query(server->client, sql) != 0)
        fail_msg("%s: %s", sql, mysql_error(server->client));
    return mysql_store_result(server->client);
}

static void server_execute(void *context, const char *sql)
{
    MYSQL_RES *result = ask(context, sql);
    if (result)
        mysql_free_result(result);
}

static void server_query(void *context, const char *sql, char *answer, size_t answer_size)
{
    MYSQL_RES *result = ask(context, sql);
    assert_non_null(result);
    MYSQL_ROW row = mysql_fetch_row(result);
    (void)snprintf(answer, answer_size, "%s", row ? row[0] ? row[0] : "NULL" : "");
    mysql_free_result(result);
}

/* Sessions that a failed test left behind may hold locks. */
static void end_other_sessions(struct server *server)
{
    MYSQL_RES *result =
        ask(server, "SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE "
                    "db = DATABASE() AND id <> CONNECTION_ID()");
    for (MYSQL_ROW row = mysql_fetch_row(result); row; row = mysql_fetch_row(result))
        (void)mysql_query(server->client, row[0]); /* it may have ended by itself */
    mysql_free_result(result);
}

static void server_wipe(void *context)
{
    struct server *server = context;
    server->plain_ids = false;
    end_other_sessions(server);
    server_execute(context, "DROP DATABASE IF EXISTS outbox_tests_elsewhere");
    server_execute(context, "DROP VIEW IF EXISTS openoutbox_events");
    server_execute(context, "DROP TABLE IF EXISTS openoutbox_events");
}

static void server_instant(char *sql, size_t sql_size, int64_t seconds)
{
    (void)snprintf(sql, sql_size, "NOW(6) + INTERVAL %lld SECOND", (long long)seconds);
}

static void server_bytes(char *sql, size_t sql_size, const void *data, size_t len)
{
    size_t at = (size_t)snprintf(sql, sql_size, "X'");
    for (size_t i = 0; i < len && at + 4 < sql_size; i++)
        at += (size_t)snprintf(sql + at, sql_size - at, "%02x", ((const unsigned char *)data)[i]);
    (void)snprintf(sql + at, sql_size - at, "'");
}

void mysql_contract(struct store_contract *contract, struct server *server,
                    const struct contract_value *url, const struct outbox_plugin *plugin)
{
    *contract = (struct store_contract){
        .plugin = plugin,
        .values = url,
        .value_count = 1,
        .table = "openoutbox_events",
        .context = server,
        .wipe = server_wipe,
        .execute = server_execute,
        .query = server_query,
        .instant = server_instant,
        .bytes = server_bytes,
    };
}

/* ---- Stores opened otherwise than the contract does --------------------------------------- */

_Atomic int64_t stopped_clock = 1000000000000;
_Atomic int64_t deadlocks;

int64_t stopped_now(const struct outbox_host *host)
{
    (void)host;
    return stopped_clock;
}

static void count_deadlocks(const struct outbox_host *host, const char *counter, int64_t increment)
{
    (void)host;
    if (strcmp(counter, "deadlocks") == 0)
        deadlocks += increment;
}

enum outbox_status try_open(struct fixture *fixture, struct opened *opened,
                            const struct contract_value *values, size_t count, uint32_t mode,
                            struct outbox_error *error)
{
    struct contract_settings settings;
    assert_true(contract_settings_init(&settings, fixture->contract->plugin, values, count));
    const struct outbox_store_config config = {.size = sizeof(config),
                                               .mode = mode,
                                               .relay_id = outbox_slice_of("tests"),
                                               .settings = &settings.settings};
    *opened = (struct opened){.ops = fixture->ops, .host = *contract_host()};
    opened->host.count = count_deadlocks;
    enum outbox_status status = opened->ops->open(&opened->host, &config, &opened->store, error);
    contract_settings_free(&settings);
    return status;
}

enum outbox_status try_session(struct opened *opened, struct outbox_error *error)
{
    int64_t deadline = contract_host()->now(contract_host()) + INT64_C(10000000000);
    return opened->ops->session_open(opened->store, deadline, &opened->session, error);
}

void open_with(struct fixture *fixture, struct opened *opened, const struct contract_value *more,
               size_t count, uint32_t mode)
{
    struct contract_value values[8] = {fixture->contract->values[0]};
    for (size_t i = 0; i < count; i++)
        values[i + 1] = more[i];
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(try_open(fixture, opened, values, count + 1, mode, &error), &error);
    contract_ok(try_session(opened, &error), &error);
}

void close_opened(struct opened *opened)
{
    if (opened->session)
        opened->ops->session_close(opened->session);
    opened->ops->close(opened->store);
}

enum outbox_status try_claim(struct opened *opened, uint64_t max_events,
                             struct outbox_claim **claim, struct outbox_error *error)
{
    char token[64];
    (void)snprintf(token, sizeof(token), OWNER "%d", opened->claims++);
    const struct outbox_claim_request request = {.size = sizeof(request),
                                                 .max_events = max_events,
                                                 .max_payload = 1000,
                                                 .token = outbox_slice_of(token)};
    return opened->ops->claim(opened->session, &request, claim, error);
}

struct outbox_claim *claim_from(struct opened *opened, uint64_t max_events)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_claim *claim = NULL;
    contract_ok(try_claim(opened, max_events, &claim, &error), &error);
    return claim;
}

enum outbox_status try_deliver(struct opened *opened, struct outbox_claim *claim, uint64_t *settled,
                               struct outbox_error *error)
{
    struct outbox_settlement settlements[200] = {{0}};
    if (claim->count == 0 || claim->count > 200)
        return outbox_fail(error, OUTBOX_INTERNAL, "", "a claim of no or too many events");
    for (uint64_t i = 0; i < claim->count; i++)
        settlements[i] = (struct outbox_settlement){.index = i, .verdict = OUTBOX_SETTLE_DELIVERED};
    const struct outbox_settle_request request = {sizeof(request), claim, settlements,
                                                  sizeof(settlements[0]), claim->count};
    struct outbox_settle_result result = {.size = sizeof(result)};
    enum outbox_status status = opened->ops->settle(opened->session, &request, &result, error);
    *settled = result.settled;
    opened->ops->claim_close(opened->session, claim);
    return status;
}

uint64_t deliver(struct opened *opened, struct outbox_claim *claim)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    uint64_t settled = 0;
    contract_ok(try_deliver(opened, claim, &settled, &error), &error);
    return settled;
}

void settle_first(struct opened *opened, struct outbox_claim *claim, enum outbox_verdict verdict,
                  struct outbox_slice reason)
{
    const struct outbox_settlement settlement = {.verdict = verdict, .charge = 1, .error = reason};
    const struct outbox_settle_request request = {sizeof(request), claim, &settlement,
                                                  sizeof(settlement), 1};
    struct outbox_settle_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(opened->ops->settle(opened->session, &request, &result, &error), &error);
    assert_int_equal(result.settled, 1);
    opened->ops->claim_close(opened->session, claim);
}

void expect(struct fixture *fixture, const char *sql, const char *expected)
{
    char answer[600];
    fixture->contract->query(fixture->contract->context, sql, answer, sizeof(answer));
    assert_string_equal(answer, expected);
}

void expect_soon(struct fixture *fixture, const char *sql, const char *expected)
{
    char answer[600] = "";
    const time_t give_up = time(NULL) + 30;
    while (time(NULL) < give_up) {
        fixture->contract->query(fixture->contract->context, sql, answer, sizeof(answer));
        if (strcmp(answer, expected) == 0)
            return;
        (void)sched_yield();
    }
    assert_string_equal(answer, expected);
}

void keep_finding(void *context, uint32_t level, const char *text)
{
    struct findings *findings = context;
    size_t len = strlen(findings->text);
    (void)snprintf(findings->text + len, sizeof(findings->text) - len, "%s\n", text);
    findings->errors += level == OUTBOX_LOG_ERROR;
    findings->warnings += level == OUTBOX_LOG_WARN;
    findings->lines++;
}

enum outbox_status act(struct opened *opened, uint32_t action, struct findings *findings)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    *findings = (struct findings){.text = ""};
    enum outbox_status status =
        opened->ops->schema(opened->store, opened->session, action, keep_finding, findings, &error);
    if (status != OUTBOX_OK && status != OUTBOX_SCHEMA)
        print_error("%s: %s\n", error.native, error.text);
    return status;
}
