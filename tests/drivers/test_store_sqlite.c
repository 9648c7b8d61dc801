/*
 * test_store_sqlite.c - the store contract on SQLite, and what is SQLite's own
 * SPDX-License-Identifier: MIT
 */
#include "sqlite_fixture.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum outbox_status claim_status(struct fixture *fixture, int session,
                                       struct outbox_error *error)
{
    const struct outbox_claim_request request = {
        .size = sizeof(request),
        .max_events = 5,
        .max_payload = 1000,
        .token = outbox_slice_of(OWNER "1"),
    };
    struct outbox_claim *claim = NULL;
    enum outbox_status status =
        fixture->ops->claim(fixture->sessions[session], &request, &claim, error);
    if (status == OUTBOX_OK)
        fixture_keep(fixture, session, claim);
    return status;
}

/* ---- The file ----------------------------------------------------------------------------- */

static void a_missing_file_is_reported_and_not_made(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(fixture->ops->ping(fixture->sessions[0], &error), OUTBOX_SCHEMA);
    assert_non_null(strstr(error.text, "outbox-relay init"));
    assert_non_null(strstr(error.text, sqlite_path(fixture)));
    assert_int_equal(claim_status(fixture, 0, &error), OUTBOX_SCHEMA);
    assert_int_equal(access(sqlite_path(fixture), F_OK), -1);
}

static void a_file_made_later_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(claim_status(fixture, 0, &error), OUTBOX_SCHEMA);
    sqlite_apply(fixture, 1);
    fixture_insert_at(fixture, "late", -1);
    assert_int_equal(fixture_claim(fixture, 0, 5)->count, 1);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    FILE *file = fopen(sqlite_path(fixture), "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        assert_true(fputs("this is no database\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(fixture->ops->ping(fixture->sessions[0], &error), OUTBOX_INVALID);
    assert_string_equal(error.native, "SQLITE_NOTADB");
}

static void a_database_in_another_journal_mode_is_switched(void **state)
{
    struct fixture *fixture = *state;
    char mode[16];
    fixture_execute(fixture, "CREATE TABLE business(id INTEGER PRIMARY KEY)");
    fixture->contract->query(fixture->contract->context, "PRAGMA journal_mode", mode, sizeof(mode));
    assert_string_equal(mode, "delete");
    sqlite_disconnect(fixture);
    sqlite_apply(fixture, 0);
    fixture->contract->query(fixture->contract->context, "PRAGMA journal_mode", mode, sizeof(mode));
    assert_string_equal(mode, "wal");
}

static void a_file_that_was_replaced_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(claim_status(fixture, 0, &error), OUTBOX_OK);
    char moved[256];
    (void)snprintf(moved, sizeof(moved), "%s.old", sqlite_path(fixture));
    assert_int_equal(rename(sqlite_path(fixture), moved), 0);
    assert_int_equal(claim_status(fixture, 0, &error), OUTBOX_UNAVAILABLE);
    assert_int_equal(fixture->ops->ping(fixture->sessions[0], &error), OUTBOX_UNAVAILABLE);
    assert_int_equal(unlink(moved), 0);
}

/* ---- Locks -------------------------------------------------------------------------------- */

static void a_lock_held_too_long_makes_the_store_unavailable(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    fixture_enqueue(fixture, 3);
    fixture_execute(fixture, "BEGIN IMMEDIATE");
    assert_int_equal(claim_status(fixture, 0, &error), OUTBOX_UNAVAILABLE);
    assert_string_equal(error.native, "SQLITE_BUSY");
    fixture_execute(fixture, "COMMIT");
    assert_int_equal(fixture_count(fixture, "status='PENDING'"), 3);
    assert_int_equal(fixture_claim(fixture, 1, 5)->count, 3);
}

static void polling_when_nothing_is_due_needs_no_lock(void **state)
{
    struct fixture *fixture = *state;
    fixture_insert_at(fixture, "later", 3600);
    fixture_execute(fixture, "BEGIN IMMEDIATE");
    assert_int_equal(fixture_claim(fixture, 0, 5)->count, 0);
    assert_int_equal(fixture_reap(fixture, 0, 25, 0).returned, 0);
    fixture_execute(fixture, "COMMIT");
}

struct waiter {
    struct fixture *fixture;
    enum outbox_status status;
    struct outbox_error error;
    volatile bool done;
};

static void *claim_once(void *context)
{
    struct waiter *waiter = context;
    waiter->status = claim_status(waiter->fixture, 0, &waiter->error);
    __atomic_store_n(&waiter->done, true, __ATOMIC_RELEASE);
    return NULL;
}

static void interrupting_ends_the_wait_for_the_lock(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter = {.fixture = fixture, .error = OUTBOX_ERROR_INIT};
    pthread_t thread;
    fixture_enqueue(fixture, 1);
    fixture_execute(fixture, "BEGIN IMMEDIATE");
    assert_int_equal(pthread_create(&thread, NULL, claim_once, &waiter), 0);
    while (!__atomic_load_n(&waiter.done, __ATOMIC_ACQUIRE)) {
        fixture->ops->interrupt(fixture->sessions[0]);
        (void)sched_yield();
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    fixture_execute(fixture, "COMMIT");
    assert_int_equal(waiter.status, OUTBOX_INTERRUPTED);
    assert_int_equal(fixture_claim(fixture, 0, 5)->count, 1);
}

/* ---- Faults ------------------------------------------------------------------------------- */

static void a_full_disk_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    fixture_enqueue(fixture, 3);
    sqlite_limit_pages(1); /* as if the disk had no page left */
    char *large = calloc(1, 100000);
    assert_non_null(large);
    const struct outbox_new_event event = {.type = outbox_slice_of("t"),
                                           .payload = {large, 100000}};
    const struct outbox_enqueue_request request = {sizeof(request), &event, sizeof(event), 1};
    enum outbox_status status = fixture->ops->enqueue(fixture->sessions[0], &request, &error);
    free(large);
    assert_int_equal(status, OUTBOX_INTERNAL); /* not one that leaves it open */
    assert_string_equal(error.native, "SQLITE_FULL");
    assert_non_null(strstr(error.text, "nothing of this batch is committed"));
    assert_int_equal(fixture_count(fixture, "1=1"), 3);
    assert_int_equal(fixture_count(fixture, "status='PENDING'"), 3);
    assert_int_equal(fixture_claim(fixture, 0, 5)->count, 3); /* the session still works */
}

static void insert_history(struct fixture *fixture, int count)
{
    fixture_execute(
        fixture,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d) "
        "INSERT INTO openoutbox_events(event_id,event_type,payload,status,delivered_at,"
        "available_at) SELECT 'old-'||i,'t',x'00','DELIVERED','2000-01-01 00:00:00.000',"
        "'2000-01-01 00:00:00.000' FROM n",
        count);
}

static void the_cost_of_a_claim_does_not_grow_with_history(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 200);
    fixture_claim_close(fixture, 0, fixture_claim(fixture, 0, 100)); /* prepares */
    int64_t before = sqlite_steps();
    fixture_claim_close(fixture, 0, fixture_claim(fixture, 0, 50));
    int64_t alone = sqlite_steps() - before;
    fixture_execute(
        fixture, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<50000) "
                 "INSERT INTO openoutbox_events(event_id,event_type,payload,status,delivered_at,"
                 "available_at) SELECT 'old-'||i,'t',x'00','DELIVERED','2000-01-01 00:00:00.000',"
                 "'2000-01-01 00:00:00.000' FROM n");
    before = sqlite_steps();
    fixture_claim_close(fixture, 0, fixture_claim(fixture, 0, 50));
    int64_t beside_history = sqlite_steps() - before;
    assert_true(alone > 50);
    assert_in_range(beside_history, 1, alone + alone / 10);
}

static void the_cost_of_a_claim_does_not_grow_with_what_is_pending(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 200);
    fixture_claim_close(fixture, 0, fixture_claim(fixture, 0, 100)); /* prepares */
    int64_t before = sqlite_steps();
    fixture_claim_close(fixture, 0, fixture_claim(fixture, 0, 50));
    int64_t of_few = sqlite_steps() - before;
    fixture_execute(fixture,
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) "
                    "INSERT INTO openoutbox_events(event_id,event_type,payload) "
                    "SELECT 'new-'||i,'t',x'00' FROM n");
    before = sqlite_steps();
    fixture_claim_close(fixture, 0, fixture_claim(fixture, 0, 50));
    assert_in_range(sqlite_steps() - before, 1, of_few + of_few / 10);
}

static void looking_for_expired_leases_does_not_read_history(void **state)
{
    struct fixture *fixture = *state;
    fixture_execute(
        fixture, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) "
                 "INSERT INTO openoutbox_events(event_id,event_type,payload,status,delivered_at) "
                 "SELECT 'old-'||i,'t',x'00','DELIVERED','2000-01-01 00:00:00.000' FROM n");
    fixture_enqueue(fixture, 2);
    fixture_claim_close(fixture, 0, fixture_claim_as(fixture, 0, 2, OWNER "a"));
    struct outbox_settle_result renewed = {.size = sizeof(renewed)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    int64_t before = sqlite_steps();
    assert_int_equal(fixture_reap(fixture, 0, 25, 0).returned, 0);
    contract_ok(
        fixture->ops->renew(fixture->sessions[0], outbox_slice_of(OWNER "a"), 2, &renewed, &error),
        &error);
    assert_int_equal(renewed.settled, 2);
    assert_true(sqlite_steps() - before < 1000);
}

static void count_held(void *context, const struct outbox_holder *holder)
{
    uint64_t *events = context;
    *events += holder->events;
}

static void looking_who_holds_events_does_not_read_history(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    uint64_t events = 0;
    uint32_t partial = 1;
    insert_history(fixture, 20000);
    fixture_enqueue(fixture, 10);
    (void)fixture_claim(fixture, 0, 10);
    int64_t before = sqlite_steps();
    contract_ok(fixture->ops->holders(fixture->sessions[0], count_held, &events, &partial, &error),
                &error);
    assert_true(sqlite_steps() - before < 2000);
    assert_int_equal(events, 10);
    assert_int_equal(partial, 0);
    fixture_execute(fixture, "DROP INDEX openoutbox_events_delivering");
    fixture_session_close(fixture, 1);
    fixture_session_reopen(fixture, 1);
    assert_int_equal(
        fixture->ops->holders(fixture->sessions[1], count_held, &events, &partial, &error),
        OUTBOX_UNSUPPORTED);
    assert_non_null(strstr(error.text, "no index"));
}

/* Every kind of statement that settles: joined with the rows of the claim, or without. */
static void the_cost_of_settling_does_not_grow_with_history(void **state)
{
    struct fixture *fixture = *state;
    static const enum outbox_verdict verdicts[] = {OUTBOX_SETTLE_DELIVERED, OUTBOX_SETTLE_RETRY,
                                                   OUTBOX_SETTLE_DEAD, OUTBOX_SETTLE_RELEASE};
    insert_history(fixture, 20000);
    fixture_execute(fixture, "ANALYZE"); /* plans as they are once the table is known */
    fixture_session_close(fixture, 0);
    fixture_session_reopen(fixture, 0);
    fixture_enqueue(fixture, 40);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 40);
    assert_int_equal(claim->count, 40);
    for (uint64_t i = 0; i < 4; i++) {
        int64_t before = sqlite_steps();
        assert_int_equal(fixture_settle(fixture, 0, claim, 10 * i, 10, verdicts[i]).settled, 10);
        assert_in_range(sqlite_steps() - before, 1, 5000);
    }
    fixture_check_invariants(fixture);
}

static void an_error_of_a_delivered_event_is_noted(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 2);
    const struct outbox_settlement settlements[] = {
        {0, OUTBOX_SETTLE_DELIVERED, 0, 0, outbox_slice_of("accepted at the second try")},
        {1, OUTBOX_SETTLE_DELIVERED, 0, 0, {NULL, 0}},
    };
    const struct outbox_settle_request request = {sizeof(request), fixture_claim(fixture, 0, 2),
                                                  settlements, sizeof(settlements[0]), 2};
    struct outbox_settle_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->settle(fixture->sessions[0], &request, &result, &error), &error);
    assert_int_equal(result.settled, 2);
    fixture_expect(fixture, 0, "last_error", "accepted at the second try");
    fixture_expect(fixture, 1, "last_error", "NULL");
    fixture_check_invariants(fixture);
}

static void a_settlement_for_no_event_of_the_claim_is_refused(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 2);
    const struct outbox_settlement settlements[] = {
        {0, OUTBOX_SETTLE_DELIVERED, 0, 0, {NULL, 0}},
        {2, OUTBOX_SETTLE_DELIVERED, 0, 0, {NULL, 0}},
    };
    const struct outbox_settle_request request = {sizeof(request), fixture_claim(fixture, 0, 2),
                                                  settlements, sizeof(settlements[0]), 2};
    struct outbox_settle_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(fixture->ops->settle(fixture->sessions[0], &request, &result, &error),
                     OUTBOX_INVALID);
    assert_int_equal(fixture_count(fixture, "status='DELIVERING'"), 2);
}

/* ---- Waking ------------------------------------------------------------------------------- */

static bool readable(int fd, int milliseconds)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    return poll(&item, 1, milliseconds) == 1 && (item.revents & POLLIN);
}

static int arm(struct fixture *fixture)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    int fd = -1;
    contract_ok(fixture->ops->wake_arm(fixture->store, &fd, &error), &error);
    assert_true(fd >= 0);
    return fd;
}

static void a_producers_commit_wakes(void **state)
{
    struct fixture *fixture = *state;
    int fd = arm(fixture);
    assert_false(readable(fd, 0));
    fixture_insert_at(fixture, "a", 0);
    assert_true(readable(fd, 10000));
    fixture->ops->wake_disarm(fixture->store);
    assert_false(readable(fd, 0));
}

static void the_relays_own_settle_before_arming_does_not_wake(void **state)
{
    struct fixture *fixture = *state;
    int fd = arm(fixture);
    fixture_enqueue(fixture, 1);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 1);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 1, OUTBOX_SETTLE_DELIVERED).settled, 1);
    fd = arm(fixture);
    assert_false(readable(fd, 0));
    assert_int_equal(fixture_claim(fixture, 0, 1)->count, 0); /* the poll after arming only reads */
    assert_false(readable(fd, 0));
}

static void waking_outlives_the_log_file(void **state)
{
    struct fixture *fixture = *state;
    (void)arm(fixture);
    fixture_session_close(fixture, 0);
    fixture_session_close(fixture, 1);
    sqlite_disconnect(fixture); /* the last connection removes the log */
    int fd = arm(fixture);
    assert_false(readable(fd, 0));
    fixture_insert_at(fixture, "a", 0);
    assert_true(readable(fd, 10000));
    fd = arm(fixture);
    assert_false(readable(fd, 0));
    fixture_insert_at(fixture, "b", 0);
    assert_true(readable(fd, 10000));
}

static void a_file_that_is_away_cannot_wake(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    int fd = -1;
    assert_int_equal(fixture->ops->wake_arm(fixture->store, &fd, &error), OUTBOX_UNAVAILABLE);
    assert_non_null(strstr(error.text, sqlite_path(fixture)));
}

/* ---- Values ------------------------------------------------------------------------------- */

static void times_are_read_to_the_millisecond(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        int64_t microseconds;
    } times[] = {
        {"1970-01-01 00:00:00.000", 0},
        {"2000-02-29 12:34:56.789", INT64_C(951827696789000)},
        {"2000-02-29 12:34:56", INT64_C(951827696000000)},
        {"1969-12-31T23:59:59.5Z", -500000},
        {"2023-12-31", INT64_C(1703980800000000)},
    };
    enum { TIMES = sizeof(times) / sizeof(times[0]) };
    for (int i = 0; i < TIMES; i++)
        fixture_execute(fixture,
                        "INSERT INTO openoutbox_events(event_id,event_type,payload,created_at) "
                        "VALUES ('%d','t',x'00','%s')",
                        i, times[i].text);
    struct outbox_claim *claim = fixture_claim(fixture, 0, TIMES);
    assert_int_equal(claim->count, TIMES);
    for (uint64_t i = 0; i < TIMES; i++) {
        const struct outbox_event *event = outbox_claim_at(claim, i);
        assert_int_equal(event->created_at, times[event->id.data[0] - '0'].microseconds);
    }
}

static void a_schedule_is_written_to_the_millisecond_and_never_too_early(void **state)
{
    struct fixture *fixture = *state;
    static const int64_t times[] = {INT64_C(4107542399999001), INT64_C(951827696789000)};
    static const char *const expected[] = {"2100-03-01 00:00:00.000", "2000-02-29 12:34:56.789"};
    for (int i = 0; i < 2; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "t%d", i);
        const struct outbox_new_event event = {.id = outbox_slice_of(id),
                                               .type = outbox_slice_of("t"),
                                               .payload = outbox_slice_of("p"),
                                               .available_at = times[i]};
        const struct outbox_enqueue_request request = {sizeof(request), &event, sizeof(event), 1};
        struct outbox_error error = OUTBOX_ERROR_INIT;
        contract_ok(fixture->ops->enqueue(fixture->sessions[0], &request, &error), &error);
        char answer[64];
        fixture_value(fixture, id, "available_at", answer, sizeof(answer));
        assert_string_equal(answer, expected[i]);
    }
}

static void a_payload_written_as_text_is_relayed_as_its_bytes(void **state)
{
    struct fixture *fixture = *state;
    fixture_execute(fixture,
                    "INSERT INTO openoutbox_events(event_id,event_type,payload) "
                    "VALUES ('short','t','{\"a\":\"\xc3\xa9\"}'),('long','t','123456789012')");
    struct outbox_claim *claim = fixture_claim_payload(fixture, 0, 5, 11);
    assert_int_equal(claim->count, 2);
    assert_true(fixture_same(outbox_claim_at(claim, 0)->payload, "{\"a\":\"\xc3\xa9\"}"));
    assert_null(outbox_claim_at(claim, 1)->payload.data);
    assert_int_equal(outbox_claim_at(claim, 1)->payload_size, 12);
}

static void what_was_delivered_is_estimated_unless_it_is_deleted(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 9);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 6);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 3, OUTBOX_SETTLE_DELIVERED).settled, 3);
    assert_int_equal(fixture_settle(fixture, 0, claim, 3, 1, OUTBOX_SETTLE_DEAD).settled, 1);
    struct outbox_store_stats stats = {.size = sizeof(stats)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->stats(fixture->sessions[1], &stats, &error), &error);
    bool deletes = fixture_count(fixture, "1=1") == 6;
    assert_int_equal(stats.delivered, deletes ? -1 : 3);
    assert_int_equal(stats.estimated, deletes ? 0 : OUTBOX_ESTIMATED_DELIVERED);
    assert_int_equal(stats.dead, 1);
}

static const struct CMUnitTest sqlite_tests[] = {
    CONTRACT_TEST(a_missing_file_is_reported_and_not_made, fixture_setup_no_table),
    CONTRACT_TEST(a_file_made_later_is_found, fixture_setup_no_table),
    CONTRACT_TEST(a_file_that_is_no_database_is_refused, fixture_setup_no_table),
    CONTRACT_TEST(a_database_in_another_journal_mode_is_switched, fixture_setup_no_table),
    CONTRACT_TEST(a_file_that_was_replaced_is_noticed, fixture_setup_lease),
    CONTRACT_TEST(a_lock_held_too_long_makes_the_store_unavailable, sqlite_setup_impatient),
    CONTRACT_TEST(polling_when_nothing_is_due_needs_no_lock, sqlite_setup_impatient),
    CONTRACT_TEST(interrupting_ends_the_wait_for_the_lock, sqlite_setup_patient),
    CONTRACT_TEST(a_full_disk_changes_nothing, fixture_setup_lease),
    CONTRACT_TEST(the_cost_of_a_claim_does_not_grow_with_history, fixture_setup_lease),
    CONTRACT_TEST(the_cost_of_a_claim_does_not_grow_with_what_is_pending, fixture_setup_lease),
    CONTRACT_TEST(looking_for_expired_leases_does_not_read_history, fixture_setup_lease),
    CONTRACT_TEST(looking_who_holds_events_does_not_read_history, fixture_setup_lease),
    CONTRACT_TEST(the_cost_of_settling_does_not_grow_with_history, fixture_setup_lease),
    CONTRACT_TEST(an_error_of_a_delivered_event_is_noted, fixture_setup_lease),
    CONTRACT_TEST(a_settlement_for_no_event_of_the_claim_is_refused, fixture_setup_lease),
    CONTRACT_TEST(a_producers_commit_wakes, fixture_setup_lease),
    CONTRACT_TEST(the_relays_own_settle_before_arming_does_not_wake, fixture_setup_lease),
    CONTRACT_TEST(waking_outlives_the_log_file, fixture_setup_lease),
    CONTRACT_TEST(a_file_that_is_away_cannot_wake, fixture_setup_no_table),
    CONTRACT_TEST(what_was_delivered_is_estimated_unless_it_is_deleted, fixture_setup_lease),
    CONTRACT_TEST(what_was_delivered_is_estimated_unless_it_is_deleted, fixture_setup_lease_delete),
    CONTRACT_TEST(times_are_read_to_the_millisecond, fixture_setup_lease),
    CONTRACT_TEST(a_schedule_is_written_to_the_millisecond_and_never_too_early,
                  fixture_setup_lease),
    CONTRACT_TEST(a_payload_written_as_text_is_relayed_as_its_bytes, fixture_setup_lease),
};

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s store-sqlite.so\n", argv[0]);
        return 2;
    }
    struct sqlite_database database;
    struct store_contract contract;
    sqlite_database_open(&database, &contract, contract_load(argv[1]));
    int failures = store_contract_run(&contract);
    failures += contract_run_tests("store-sqlite", sqlite_tests,
                                   sizeof(sqlite_tests) / sizeof(sqlite_tests[0]), &contract);
    failures += contract_run_tests("store-sqlite and tables made elsewhere", sqlite_table_tests,
                                   sqlite_table_test_count, &contract);
    failures += contract_run_tests("store-sqlite holds rows", sqlite_hold_tests,
                                   sqlite_hold_test_count, &contract);
    sqlite_database_close(&database);
    return failures == 0 ? 0 : 1;
}
