/*
 * test_store_postgres.c - the store contract on PostgreSQL, and what is PostgreSQL's own
 * SPDX-License-Identifier: MIT
 *
 * The server's address comes in OUTBOX_TEST_POSTGRES_URL. The database is the tests' own: tables are
 * dropped in it and other sessions ended.
 */
#include "store_fixture.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct server {
    PGconn *conn;
    const char *url;
};

/* ---- Looking at the database behind the driver's back ------------------------------------------------ */

static PGresult *run_sql(PGconn *conn, const char *sql)
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


/* ---- Stores opened otherwise than the contract does --------------------------------------------------- */

/* A clock that stands still until it is moved: the driver's looks below its watermark are paced by it. */
static _Atomic int64_t stopped_clock = 1000000000000;

static int64_t stopped_now(const struct outbox_host *host)
{
    (void)host;
    return stopped_clock;
}

struct opened {
    const struct outbox_store_ops *ops;
    struct outbox_host host;
    struct outbox_store *store;
    struct outbox_session *session;
    int claims;
};

static enum outbox_status try_open(struct fixture *fixture, struct opened *opened,
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

static void open_with(struct fixture *fixture, struct opened *opened,
                      const struct contract_value *more, size_t count, uint32_t mode)
{
    struct contract_value values[8] = {fixture->contract->values[0]};
    for (size_t i = 0; i < count; i++)
        values[i + 1] = more[i];
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(try_open(fixture, opened, values, count + 1, mode, &error), &error);
    opened->session = contract_session_open(fixture->contract->plugin, opened->store);
}

static void close_opened(struct opened *opened)
{
    if (opened->session)
        opened->ops->session_close(opened->session);
    opened->ops->close(opened->store);
}

static enum outbox_status try_claim(struct opened *opened, uint64_t max_events,
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

static struct outbox_claim *claim_from(struct opened *opened, uint64_t max_events)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_claim *claim = NULL;
    contract_ok(try_claim(opened, max_events, &claim, &error), &error);
    return claim;
}

/* Settles a whole claim as delivered and gives it back; returns how many were settled. */
static uint64_t deliver(struct opened *opened, struct outbox_claim *claim)
{
    struct outbox_settlement settlements[200] = {{0}};
    assert_true(claim->count > 0 && claim->count <= 200);
    for (uint64_t i = 0; i < claim->count; i++)
        settlements[i] = (struct outbox_settlement){.index = i, .verdict = OUTBOX_SETTLE_DELIVERED};
    const struct outbox_settle_request request = {sizeof(request), claim, settlements,
                                                  sizeof(settlements[0]), claim->count};
    struct outbox_settle_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(opened->ops->settle(opened->session, &request, &result, &error), &error);
    opened->ops->claim_close(opened->session, claim);
    return result.settled;
}

static void expect(struct fixture *fixture, const char *sql, const char *expected)
{
    char answer[600];
    fixture->contract->query(fixture->contract->context, sql, answer, sizeof(answer));
    assert_string_equal(answer, expected);
}

/* Waits for what another process does in its own time; fails after half a minute. */
static void expect_soon(struct fixture *fixture, const char *sql, const char *expected)
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

/* ---- Tables made elsewhere ------------------------------------------------------------------------------- */

#define FOREIGN_COLUMNS                                                                            \
    "event_id uuid NOT NULL, event_type text NOT NULL, partition_key text, payload bytea NOT "     \
    "NULL,"                                                                                        \
    " headers jsonb NOT NULL DEFAULT '{}', status text NOT NULL DEFAULT 'PENDING', attempts int "  \
    "NOT NULL DEFAULT 0, last_error text, available_at timestamptz NOT NULL DEFAULT now(),"        \
    " locked_by text, locked_at timestamptz, delivered_at timestamptz, created_at timestamptz NOT" \
    " NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now()"
#define FOREIGN_INDEXES                                                                            \
    "CREATE INDEX ON openoutbox_events (available_at, created_at) WHERE status = 'PENDING';"       \
    "CREATE INDEX ON openoutbox_events (locked_at) WHERE status = 'DELIVERING';"
#define FOREIGN_TABLE                                                                              \
    "CREATE TABLE openoutbox_events (" FOREIGN_COLUMNS ", PRIMARY KEY (event_id));" FOREIGN_INDEXES
#define PARTITIONED_TABLE                                                                          \
    "CREATE TABLE openoutbox_events (" FOREIGN_COLUMNS ", PRIMARY KEY (event_id, created_at))"     \
    " PARTITION BY RANGE (created_at);" FOREIGN_INDEXES                                            \
    "CREATE TABLE old_events PARTITION OF openoutbox_events"                                       \
    " FOR VALUES FROM (MINVALUE) TO (now() - interval '1 hour');"                                  \
    "CREATE TABLE new_events PARTITION OF openoutbox_events"                                       \
    " FOR VALUES FROM (now() - interval '1 hour') TO (MAXVALUE);"

static void insert_aged(struct fixture *fixture, int count)
{
    fixture_execute(fixture,
                    "INSERT INTO openoutbox_events (event_id, event_type, payload, available_at, "
                    "created_at) SELECT gen_random_uuid(), n::text, 'p', moment, moment FROM "
                    "(SELECT n, now() - n * interval '1 minute' AS moment FROM "
                    "generate_series(1, %d) n) s ORDER BY random()",
                    count);
}

static void relays_in_order(struct fixture *fixture, uint32_t mode)
{
    struct opened opened;
    char type[16];
    insert_aged(fixture, 120);
    open_with(fixture, &opened, NULL, 0, mode);
    for (int from = 120; from > 0; from -= 40) {
        struct outbox_claim *claim = claim_from(&opened, 40);
        assert_int_equal(claim->count, 40);
        for (int i = 0; i < 40; i++) {
            (void)snprintf(type, sizeof(type), "%d", from - i);
            assert_true(fixture_same(outbox_claim_at(claim, (uint64_t)i)->type, type));
        }
        assert_int_equal(deliver(&opened, claim), 40);
    }
    struct outbox_claim *none = claim_from(&opened, 40);
    assert_int_equal(none->count, 0);
    opened.ops->claim_close(opened.session, none);
    close_opened(&opened);
    expect(fixture, "SELECT count(*) FROM openoutbox_events WHERE status = 'DELIVERED' AND "
                    "delivered_at IS NOT NULL AND locked_by IS NULL AND locked_at IS NULL", "120");
}

static void a_foreign_table_is_relayed_by_leases(void **state)
{
    fixture_execute(*state, FOREIGN_TABLE);
    relays_in_order(*state, OUTBOX_MODE_LEASE);
}

static void a_foreign_table_is_relayed_by_holding(void **state)
{
    fixture_execute(*state, FOREIGN_TABLE);
    relays_in_order(*state, OUTBOX_MODE_HOLD);
}

static void a_partitioned_table_is_relayed_by_leases(void **state)
{
    fixture_execute(*state, PARTITIONED_TABLE);
    relays_in_order(*state, OUTBOX_MODE_LEASE);
}

static void a_partitioned_table_is_relayed_by_holding(void **state)
{
    fixture_execute(*state, PARTITIONED_TABLE);
    relays_in_order(*state, OUTBOX_MODE_HOLD);
}

static void a_renamed_table_with_numbers_for_ids_is_relayed(void **state)
{
    struct fixture *fixture = *state;
    fixture_execute(fixture, FOREIGN_TABLE
                    "CREATE SCHEMA elsewhere; ALTER TABLE openoutbox_events SET SCHEMA elsewhere;"
                    "ALTER TABLE elsewhere.openoutbox_events RENAME TO \"Out \"\"Box\";"
                    "ALTER TABLE elsewhere.\"Out \"\"Box\" RENAME payload TO \"the body\";"
                    "ALTER TABLE elsewhere.\"Out \"\"Box\" ALTER event_id TYPE bigint USING 0;"
                    "INSERT INTO elsewhere.\"Out \"\"Box\" (event_id, event_type, \"the body\")"
                    " VALUES (4711, 't', 'bytes'), (4712, 't', 'bytes')");
    const struct outbox_pair column = {outbox_slice_of("payload"), outbox_slice_of("the body")};
    const struct contract_value values[] = {{.name = "table", .text = "elsewhere.\"Out \"\"Box\""},
                                            {.name = "columns", .pairs = &column, .pair_count = 1}};
    struct opened opened;
    open_with(fixture, &opened, values, 2, OUTBOX_MODE_LEASE);
    struct outbox_claim *claim = claim_from(&opened, 10);
    assert_int_equal(claim->count, 2);
    assert_true(fixture_same(outbox_claim_at(claim, 0)->id, "4711"));
    assert_true(fixture_same(outbox_claim_at(claim, 0)->payload, "bytes"));
    assert_int_equal(deliver(&opened, claim), 2);
    close_opened(&opened);
}

static void a_foreign_table_is_upgraded_once(void **state)
{
    struct fixture *fixture = *state;
    fixture_execute(fixture, FOREIGN_TABLE);
    insert_aged(fixture, 10);
    struct opened opened;
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    struct outbox_claim *claim = claim_from(&opened, 5);
    struct outbox_error error = OUTBOX_ERROR_INIT;
    char last[64] = "";
    for (int i = 0; i < 2; i++)
        contract_ok(opened.ops->schema(opened.store, opened.session, OUTBOX_SCHEMA_APPLY, keep_last,
                                       last, &error),
                    &error);
    assert_string_equal(last, "-- nothing to do");
    assert_int_equal(deliver(&opened, claim), 5);
    assert_int_equal(deliver(&opened, claim_from(&opened, 10)), 5);
    close_opened(&opened);
    expect(fixture, "SELECT count(DISTINCT seq) FROM openoutbox_events", "10");
    expect(fixture, "SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relname LIKE 'openoutbox%'",
           "1");
}

static void all_that_is_wrong_with_a_table_is_named_at_once(void **state)
{
    struct fixture *fixture = *state;
    fixture_execute(fixture, FOREIGN_TABLE
                    "ALTER TABLE openoutbox_events DROP locked_by, DROP last_error,"
                    " ALTER payload TYPE text USING ''");
    struct opened opened;
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    struct outbox_claim *claim = NULL;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(try_claim(&opened, 1, &claim, &error), OUTBOX_SCHEMA);
    assert_non_null(strstr(error.text, "no column locked_by"));
    assert_non_null(strstr(error.text, "no column last_error"));
    assert_non_null(strstr(error.text, "column payload is text, not bytea"));
    close_opened(&opened);
}

/* ---- Cost ------------------------------------------------------------------------------------------------ */

static void end_and_wait_for_statistics(struct fixture *fixture, struct opened *opened)
{
    close_opened(opened);
    expect_soon(fixture, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                         " AND application_name = 'outbox-relay tests'", "0");
}

static void a_table_never_analysed_is_never_read_as_a_whole(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    fixture_execute(fixture, "ALTER TABLE openoutbox_events SET (autovacuum_enabled = off)");
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    fixture_enqueue(fixture, 10);
    assert_int_equal(deliver(&opened, claim_from(&opened, 10)), 10); /* plans are made and kept */
    fixture_execute(fixture, "INSERT INTO openoutbox_events (event_type, payload, status, delivered_at)"
                             " SELECT 't', 'p', 'DELIVERED', now() FROM generate_series(1, 20000)");
    fixture_execute(fixture, "INSERT INTO openoutbox_events (event_type, payload, status, locked_by,"
                             " locked_at) SELECT 't', 'p', 'DELIVERING', 'x', now()"
                             " FROM generate_series(1, 5000)");
    fixture_execute(fixture, "SELECT pg_stat_reset()");
    fixture_enqueue(fixture, 100);
    for (int i = 0; i < 10; i++)
        assert_int_equal(deliver(&opened, claim_from(&opened, 10)), 10);
    end_and_wait_for_statistics(fixture, &opened);
    expect_soon(fixture, "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname ="
                         " 'openoutbox_events'", "200");
    expect(fixture, "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'openoutbox_events'",
           "0");
    expect(fixture, "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname ="
                    " 'openoutbox_events_lease'", "0");
    expect(fixture, "SELECT sum(idx_tup_read) < 2000 FROM pg_stat_user_indexes WHERE relname ="
                    " 'openoutbox_events'", "t");
}

static void pinned_dead_rows_are_passed_once(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    PGconn *pin = PQconnectdb(((struct server *)fixture->contract->context)->url);
    PQclear(run_sql(pin, "BEGIN ISOLATION LEVEL REPEATABLE READ"));
    PQclear(run_sql(pin, "SELECT count(*) FROM pg_class"));
    fixture_enqueue(fixture, 4000);
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    opened.host.now = stopped_now;
    fixture_execute(fixture, "SELECT pg_stat_reset()");
    for (int i = 0; i < 40; i++)
        assert_int_equal(deliver(&opened, claim_from(&opened, 100)), 100);
    end_and_wait_for_statistics(fixture, &opened);
    PQfinish(pin);
    expect_soon(fixture, "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname ="
                         " 'openoutbox_events'", "8000");
    /* From the start each time it would be some 80,000. */
    expect(fixture, "SELECT idx_tup_read BETWEEN 4000 AND 6000 FROM pg_stat_user_indexes WHERE"
                    " indexrelname = 'openoutbox_events_claim'", "t");
}

static void a_late_commit_is_found_when_the_look_below_is_due(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    opened.host.now = stopped_now;
    fixture_enqueue(fixture, 20);
    for (int i = 0; i < 2; i++)
        assert_int_equal(deliver(&opened, claim_from(&opened, 10)), 10);
    char id[EVENT_ID_SIZE];
    fixture_id(id, 99);
    fixture_insert_at(fixture, id, -3600);
    struct outbox_claim *claim = claim_from(&opened, 10);
    assert_int_equal(claim->count, 0);
    opened.ops->claim_close(opened.session, claim);
    stopped_clock += 3600000000000;
    assert_int_equal(deliver(&opened, claim_from(&opened, 10)), 1);
    close_opened(&opened);
}

static void an_empty_hold_leaves_no_transaction_open(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_HOLD);
    struct outbox_claim *claim = claim_from(&opened, 10);
    assert_int_equal(claim->count, 0);
    expect_soon(fixture, "SELECT DISTINCT state FROM pg_stat_activity WHERE application_name ="
                         " 'outbox-relay tests'", "idle");
    opened.ops->claim_close(opened.session, claim);
    close_opened(&opened);
}
int main(int argc, char **argv)
{
    const char *url = getenv("OUTBOX_TEST_POSTGRES_URL");
    if (argc != 2 || !url) {
        (void)fprintf(stderr, "usage: OUTBOX_TEST_POSTGRES_URL=postgres://... %s store-postgres.so\n",
                      argv[0]);
        return 2;
    }
    struct server server = {PQconnectdb(url)};
    const struct contract_value values[] = {{.name = "url", .text = url}};
    const struct store_contract contract = {
        .plugin = contract_load(argv[1]),
        .values = values,
        .value_count = 1,
        .table = "openoutbox_events",
        .context = &server,
        .wipe = server_wipe,
        .execute = server_execute,
        .query = server_query,
        .instant = server_instant,
        .bytes = server_bytes,
    };
    return store_contract_run(&contract);
}
