/*
 * postgres_tables.c - the tables that PostgreSQL users arrive with, and what relaying costs
 * SPDX-License-Identifier: MIT
 */
#include "postgres_fixture.h"

/* ---- Tables made elsewhere ---------------------------------------------------------------- */

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
    "CREATE TABLE openoutbox_events (" FOREIGN_COLUMNS ", PRIMARY KEY "                            \
    "(event_id));" FOREIGN_INDEXES
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
    expect(fixture,
           "SELECT count(*) FROM openoutbox_events WHERE status = 'DELIVERED' AND "
           "delivered_at IS NOT NULL AND locked_by IS NULL AND locked_at IS NULL",
           "120");
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
    char last[200] = "";
    for (int i = 0; i < 2; i++) {
        (void)snprintf(last, sizeof(last), "silent");
        contract_ok(opened.ops->schema(opened.store, opened.session, OUTBOX_SCHEMA_APPLY, keep_last,
                                       last, &error),
                    &error);
        assert_int_equal(strcmp(last, "silent") == 0, i == 1);
    }
    assert_int_equal(deliver(&opened, claim), 5);
    assert_int_equal(deliver(&opened, claim_from(&opened, 10)), 5);
    close_opened(&opened);
    expect(fixture, "SELECT count(DISTINCT seq) FROM openoutbox_events", "10");
    expect(fixture,
           "SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relname LIKE 'openoutbox%'", "1");
}

static void all_that_is_wrong_with_a_table_is_named_at_once(void **state)
{
    struct fixture *fixture = *state;
    fixture_execute(fixture,
                    FOREIGN_TABLE "ALTER TABLE openoutbox_events DROP locked_by, DROP last_error,"
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

/* ---- Cost --------------------------------------------------------------------------------- */

/* A session reports what it read when it ends, at the latest. */
static void wait_for_statistics(struct fixture *fixture)
{
    expect_soon(fixture,
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name LIKE 'outbox-relay%'",
                "0");
}

static void start_measuring(struct fixture *fixture, struct opened *opened)
{
    for (int i = 0; i < 2; i++)
        fixture_session_close(fixture, i);
    wait_for_statistics(fixture);
    open_with(fixture, opened, NULL, 0, OUTBOX_MODE_LEASE);
    fixture_execute(fixture, "SELECT pg_stat_reset()");
}

static void end_measuring(struct fixture *fixture, struct opened *opened)
{
    close_opened(opened);
    wait_for_statistics(fixture);
}

static void a_table_never_analysed_is_never_read_as_a_whole(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    fixture_execute(fixture, "ALTER TABLE openoutbox_events SET (autovacuum_enabled = off)");
    fixture_enqueue(fixture, 10);
    start_measuring(fixture, &opened);
    assert_int_equal(deliver(&opened, claim_from(&opened, 10)), 10); /* plans are made and kept */
    fixture_execute(fixture,
                    "INSERT INTO openoutbox_events (event_type, payload, status, delivered_at)"
                    " SELECT 't', 'p', 'DELIVERED', now() FROM generate_series(1, 20000)");
    fixture_execute(fixture,
                    "INSERT INTO openoutbox_events (event_type, payload, status, locked_by,"
                    " locked_at) SELECT 't', 'p', 'DELIVERING', 'x', now()"
                    " FROM generate_series(1, 5000)");
    fixture_execute(fixture, "INSERT INTO openoutbox_events (event_type, payload)"
                             " SELECT 't', 'p' FROM generate_series(1, 100)");
    for (int i = 0; i < 10; i++)
        assert_int_equal(deliver(&opened, claim_from(&opened, 10)), 10);
    end_measuring(fixture, &opened);
    expect(fixture, "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'openoutbox_events'",
           "220");
    expect(fixture, "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'openoutbox_events'",
           "0");
    expect(fixture,
           "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname ="
           " 'openoutbox_events_lease'",
           "0");
    expect(fixture,
           "SELECT sum(idx_tup_read) < 2000 FROM pg_stat_user_indexes WHERE relname ="
           " 'openoutbox_events'",
           "t");
}

static void count_held(void *context, const struct outbox_holder *holder)
{
    uint64_t *events = context;
    *events += holder->events;
}

static void looking_who_holds_events_does_not_read_history(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    uint64_t events = 0;
    uint32_t partial = 1;
    fixture_execute(fixture, "ALTER TABLE openoutbox_events SET (autovacuum_enabled = off)");
    fixture_execute(fixture,
                    "INSERT INTO openoutbox_events (event_type, payload, status, delivered_at)"
                    " SELECT 't', 'p', 'DELIVERED', now() FROM generate_series(1, 20000)");
    fixture_execute(fixture,
                    "INSERT INTO openoutbox_events (event_type, payload, status, locked_by,"
                    " locked_at) SELECT 't', 'p', 'DELIVERING', 'x', now()"
                    " FROM generate_series(1, 100)");
    start_measuring(fixture, &opened);
    contract_ok(opened.ops->holders(opened.session, count_held, &events, &partial, &error), &error);
    end_measuring(fixture, &opened);
    assert_int_equal(events, 100);
    assert_int_equal(partial, 0);
    expect(fixture, "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'openoutbox_events'",
           "0");
    expect(fixture,
           "SELECT string_agg(indexrelname || ' ' || idx_tup_read, ', ') FROM pg_stat_user_indexes"
           " WHERE relname = 'openoutbox_events' AND idx_tup_read > 0",
           "openoutbox_events_lease 100");
}

static void without_an_index_nobody_is_looked_for(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    uint64_t events = 0;
    uint32_t partial = 0;
    fixture_execute(fixture, "DROP INDEX openoutbox_events_lease");
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    assert_int_equal(opened.ops->holders(opened.session, count_held, &events, &partial, &error),
                     OUTBOX_UNSUPPORTED);
    assert_non_null(strstr(error.text, "no index"));
    close_opened(&opened);
}

static void pinned_dead_rows_are_passed_once(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    PGconn *pin = PQconnectdb(((struct server *)fixture->contract->context)->url);
    PQclear(run_sql(pin, "BEGIN ISOLATION LEVEL REPEATABLE READ"));
    PQclear(run_sql(pin, "SELECT count(*) FROM pg_class"));
    fixture_enqueue(fixture, 4000);
    start_measuring(fixture, &opened);
    opened.host.now = stopped_now;
    for (int i = 0; i < 40; i++)
        assert_int_equal(deliver(&opened, claim_from(&opened, 100)), 100);
    end_measuring(fixture, &opened);
    PQfinish(pin);
    expect(fixture, "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'openoutbox_events'",
           "8000");
    /* From the start each time it would be some 80,000. */
    expect(fixture,
           "SELECT idx_tup_read BETWEEN 4000 AND 6000 FROM pg_stat_user_indexes WHERE"
           " indexrelname = 'openoutbox_events_claim'",
           "t");
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
    expect_soon(fixture,
                "SELECT DISTINCT state FROM pg_stat_activity WHERE application_name ="
                " 'outbox-relay tests'",
                "idle");
    opened.ops->claim_close(opened.session, claim);
    close_opened(&opened);
}

static void no_partition_is_expected(void *context, const struct outbox_partition *partition)
{
    (void)context;
    fail_msg("partition %.*s was changed", (int)partition->name.len, partition->name.data);
}

static void only_partition_requests_that_make_sense_are_taken(void **state)
{
    struct fixture *fixture = *state;
    fixture_execute(fixture, PARTITIONED_TABLE);
    struct opened opened;
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    const struct outbox_partition_request sound = {
        .size = sizeof(sound), .retention = -1, .period = OUTBOX_PERIOD_DAY, .lookahead = 1000000};
    struct outbox_partition_request requests[] = {sound, sound, sound, sound, sound};
    requests[1].period = 0;
    requests[2].lookahead = -1;
    requests[3].lookahead = INT64_MAX;
    requests[4].now = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        struct outbox_error error = OUTBOX_ERROR_INIT;
        assert_int_equal(opened.ops->partitions(opened.session, &requests[i],
                                                no_partition_is_expected, NULL, &error),
                         i == 0 ? OUTBOX_OK : OUTBOX_INVALID);
    }
    close_opened(&opened);
}

const struct CMUnitTest postgres_table_tests[] = {
    CONTRACT_TEST(a_foreign_table_is_relayed_by_leases, fixture_setup_no_table),
    CONTRACT_TEST(a_foreign_table_is_relayed_by_holding, fixture_setup_no_table),
    CONTRACT_TEST(a_partitioned_table_is_relayed_by_leases, fixture_setup_no_table),
    CONTRACT_TEST(a_partitioned_table_is_relayed_by_holding, fixture_setup_no_table),
    CONTRACT_TEST(a_renamed_table_with_numbers_for_ids_is_relayed, fixture_setup_no_table),
    CONTRACT_TEST(a_foreign_table_is_upgraded_once, fixture_setup_no_table),
    CONTRACT_TEST(all_that_is_wrong_with_a_table_is_named_at_once, fixture_setup_no_table),
    CONTRACT_TEST(a_table_never_analysed_is_never_read_as_a_whole, fixture_setup_lease),
    CONTRACT_TEST(looking_who_holds_events_does_not_read_history, fixture_setup_lease),
    CONTRACT_TEST(without_an_index_nobody_is_looked_for, fixture_setup_lease),
    CONTRACT_TEST(pinned_dead_rows_are_passed_once, fixture_setup_lease),
    CONTRACT_TEST(a_late_commit_is_found_when_the_look_below_is_due, fixture_setup_lease),
    CONTRACT_TEST(an_empty_hold_leaves_no_transaction_open, fixture_setup_lease),
    CONTRACT_TEST(only_partition_requests_that_make_sense_are_taken, fixture_setup_no_table),
};
const size_t postgres_table_test_count =
    sizeof(postgres_table_tests) / sizeof(postgres_table_tests[0]);
