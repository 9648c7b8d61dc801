/*
 * postgres_fixture.c - a PostgreSQL for tests: looking behind the driver's back, opening stores
 * SPDX-License-Identifier: MIT
 */
#include "postgres_fixture.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>

PGresult *run_sql(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    return result;
}

static void server_execute(void *context, const char *sql)
{
    PQclear(run_sql(((struct server *)context)->conn, sql));
}

static void server_query(void *context, const char *sql, char *answer, size_t answer_size)
{
    PGresult *result = run_sql(((struct server *)context)->conn, sql);
    const char *value = "";
    if (PQntuples(result) > 0)
        value = PQgetisnull(result, 0, 0) ? "NULL" : PQgetvalue(result, 0, 0);
    (void)snprintf(answer, answer_size, "%s", value);
    PQclear(result);
}

static void server_wipe(void *context)
{
    server_execute(context, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE"
                            " datname = current_database() AND backend_type = 'client backend'"
                            " AND pid <> pg_backend_pid()");
    server_execute(context, "DROP SCHEMA IF EXISTS elsewhere CASCADE");
    server_execute(context, "DROP TABLE IF EXISTS openoutbox_events CASCADE");
}

static void server_instant(char *sql, size_t sql_size, int64_t seconds)
{
    (void)snprintf(sql, sql_size, "statement_timestamp() + %lld * interval '1 second'",
                   (long long)seconds);
}

static void server_bytes(char *sql, size_t sql_size, const void *data, size_t len)
{
    size_t at = (size_t)snprintf(sql, sql_size, "'\\x");
    for (size_t i = 0; i < len && at + 4 < sql_size; i++)
        at += (size_t)snprintf(sql + at, sql_size - at, "%02x", ((const unsigned char *)data)[i]);
    (void)snprintf(sql + at, sql_size - at, "'::bytea");
}

/* ---- Stores opened otherwise than the contract does --------------------------------------- */

_Atomic int64_t stopped_clock = 1000000000000;

int64_t stopped_now(const struct outbox_host *host)
{
    (void)host;
    return stopped_clock;
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
    enum outbox_status status = opened->ops->open(&opened->host, &config, &opened->store, error);
    contract_settings_free(&settings);
    return status;
}

void open_with(struct fixture *fixture, struct opened *opened, const struct contract_value *more,
               size_t count, uint32_t mode)
{
    struct contract_value values[8] = {fixture->contract->values[0]};
    for (size_t i = 0; i < count; i++)
        values[i + 1] = more[i];
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(try_open(fixture, opened, values, count + 1, mode, &error), &error);
    opened->session = contract_session_open(fixture->contract->plugin, opened->store);
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

void keep_last(void *context, uint32_t level, const char *text)
{
    (void)level;
    (void)snprintf(context, 200, "%s", text);
}

void postgres_contract(struct store_contract *contract, struct server *server,
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
