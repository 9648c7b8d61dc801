/*
 * postgres_faults.c - what goes wrong between a relay and PostgreSQL, and how it is woken
 * SPDX-License-Identifier: MIT
 */
#include "postgres_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

/* ---- Addresses ---------------------------------------------------------------------------- */

static void a_secret_is_in_no_error(void **state)
{
    struct fixture *fixture = *state;
    static const char *const urls[] = {
        "postgres://u:s3cr/et@127.0.0.1:1/db",
        "postgres://u:s3cret@x@127.0.0.1:1/db",
        "postgres://u:s3cret@127.0.0.1:1/db",
        "host=127.0.0.1 port=1 password=s3cret s3cret",
        "postgres://u:s3cret@127.0.0.1:1/db?s3cr=et",
        "host=s3cret.invalid password=s3cret",
        "postgres://u:s3cret%zz@127.0.0.1:1/db",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        const struct contract_value url = {.name = "url", .text = urls[i]};
        struct opened opened;
        struct outbox_error error = OUTBOX_ERROR_INIT;
        enum outbox_status status = try_open(fixture, &opened, &url, 1, OUTBOX_MODE_LEASE, &error);
        if (status == OUTBOX_OK) {
            status = opened.ops->session_open(
                opened.store, opened.host.now(&opened.host) + 5000000000, &opened.session, &error);
            assert_int_equal(status, OUTBOX_UNAVAILABLE);
            opened.ops->close(opened.store);
        } else {
            assert_int_equal(status, OUTBOX_INVALID);
        }
        assert_true(strlen(error.text) > 0);
        assert_null(strstr(error.text, "s3cr"));
        assert_null(strstr(error.text, "et@"));
    }
}

static void a_database_that_does_not_exist_is_told_from_a_server_that_is_away(void **state)
{
    struct fixture *fixture = *state;
    const char *own = ((struct server *)fixture->contract->context)->url;
    char url[1024];
    (void)snprintf(url, sizeof(url), "%s%cdbname=no_such_database", own,
                   strchr(own, '?') ? '&' : '?');
    const struct contract_value value = {.name = "url", .text = url};
    struct opened opened;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(try_open(fixture, &opened, &value, 1, OUTBOX_MODE_LEASE, &error), &error);
    assert_int_equal(opened.ops->session_open(opened.store,
                                              opened.host.now(&opened.host) + 10000000000,
                                              &opened.session, &error),
                     OUTBOX_INVALID);
    assert_string_equal(error.native, "3D000");
    assert_non_null(strstr(error.text, "no_such_database"));
    opened.ops->close(opened.store);
}

static void a_wrong_setting_is_named_with_the_nearest(void **state)
{
    struct fixture *fixture = *state;
    const struct outbox_pair column = {outbox_slice_of("pay_load"), outbox_slice_of("x")};
    const struct {
        struct contract_value value;
        const char *text;
    } cases[] = {
        {{.name = "columns", .pairs = &column, .pair_count = 1}, "\"payload\""},
        {{.name = "table", .text = "a.b.c"}, "schema.table"},
        {{.name = "table", .text = ""}, "empty"},
        {{.name = "table", .text = " "}, "blanks"},
        {{.name = "table", .text = "\"open"}, "schema.table"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct contract_value values[] = {fixture->contract->values[0], cases[i].value};
        struct opened opened;
        struct outbox_error error = OUTBOX_ERROR_INIT;
        assert_int_equal(try_open(fixture, &opened, values, 2, OUTBOX_MODE_LEASE, &error),
                         OUTBOX_INVALID);
        assert_non_null(strstr(error.text, cases[i].text));
    }
}

/* ---- Sessions that end, wait or may not write --------------------------------------------- */

static void a_terminated_session_is_unavailable_and_another_works(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    fixture_enqueue(fixture, 3);
    struct outbox_claim *claim = claim_from(&opened, 1);
    fixture_execute(fixture, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE"
                             " application_name = '" SESSION_NAME "'");
    struct outbox_claim *none = NULL;
    assert_int_equal(try_claim(&opened, 1, &none, &error), OUTBOX_UNAVAILABLE);
    assert_int_equal(try_claim(&opened, 1, &none, &error), OUTBOX_UNAVAILABLE);
    opened.ops->claim_close(opened.session, claim);
    opened.ops->session_close(opened.session);
    opened.session = contract_session_open(fixture->contract->plugin, opened.store);
    assert_int_equal(deliver(&opened, claim_from(&opened, 10)), 2);
    close_opened(&opened);
}

static void a_server_that_is_read_only_is_said_to_be(void **state)
{
    struct fixture *fixture = *state;
    const char *own = ((struct server *)fixture->contract->context)->url;
    char url[1024];
    (void)snprintf(url, sizeof(url), "%s%coptions=-c%%20default_transaction_read_only%%3Don", own,
                   strchr(own, '?') ? '&' : '?');
    const struct contract_value value = {.name = "url", .text = url};
    struct opened opened;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_claim *claim = NULL;
    contract_ok(try_open(fixture, &opened, &value, 1, OUTBOX_MODE_LEASE, &error), &error);
    opened.session = contract_session_open(fixture->contract->plugin, opened.store);
    assert_int_equal(try_claim(&opened, 1, &claim, &error), OUTBOX_UNAVAILABLE);
    assert_string_equal(error.native, "25006");
    assert_non_null(strstr(error.text, "read-only"));
    close_opened(&opened);
}

struct waiting_claim {
    struct opened *opened;
    struct outbox_claim *claim;
    enum outbox_status status;
    struct outbox_error error;
};

static void *claim_in_thread(void *context)
{
    struct waiting_claim *waiting = context;
    waiting->status = try_claim(waiting->opened, 10, &waiting->claim, &waiting->error);
    return NULL;
}

static PGconn *connect_aside(struct fixture *fixture)
{
    PGconn *conn = PQconnectdb(((struct server *)fixture->contract->context)->url);
    assert_int_equal(PQstatus(conn), CONNECTION_OK);
    return conn;
}

#define WAITING                                                                                    \
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = '" SESSION_NAME "'"            \
    " AND wait_event_type = 'Lock'"

static void an_interrupt_ends_the_wait_at_once_and_the_session_is_lost(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    fixture_enqueue(fixture, 1);
    PGconn *locker = connect_aside(fixture);
    PQclear(run_sql(locker, "BEGIN; LOCK TABLE openoutbox_events"));
    struct waiting_claim waiting = {.opened = &opened, .error = OUTBOX_ERROR_INIT};
    opened.ops->interrupt(opened.session); /* nothing runs yet: means nothing */
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, claim_in_thread, &waiting), 0);
    expect_soon(fixture, WAITING, "1");
    opened.ops->interrupt(opened.session);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waiting.status, OUTBOX_INTERRUPTED);
    expect(fixture, WAITING, "1"); /* the server was not asked, and need not have answered */
    assert_int_equal(try_claim(&opened, 1, &waiting.claim, &waiting.error), OUTBOX_UNAVAILABLE);
    fixture_execute(fixture, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE"
                             " application_name = '" SESSION_NAME "'");
    opened.ops->session_close(opened.session);
    PQfinish(locker);
    opened.session = contract_session_open(fixture->contract->plugin, opened.store);
    assert_int_equal(deliver(&opened, claim_from(&opened, 10)), 1);
    close_opened(&opened);
}

static void a_statement_that_takes_too_long_times_out(void **state)
{
    struct fixture *fixture = *state;
    const struct contract_value value = {.name = "statement_timeout", .text = "50ms"};
    struct opened opened;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_claim *claim = NULL;
    open_with(fixture, &opened, &value, 1, OUTBOX_MODE_LEASE);
    fixture_enqueue(fixture, 1);
    deliver(&opened, claim_from(&opened, 1));
    PGconn *locker = connect_aside(fixture);
    PQclear(run_sql(locker, "BEGIN; LOCK TABLE openoutbox_events"));
    assert_int_equal(try_claim(&opened, 1, &claim, &error), OUTBOX_TIMEOUT);
    assert_string_equal(error.native, "57014");
    PQfinish(locker);
    close_opened(&opened);
}

struct waiting_settle {
    struct opened *opened;
    struct outbox_claim *claim;
    uint64_t settled;
    enum outbox_status status;
    struct outbox_error error;
};

static void *settle_in_thread(void *context)
{
    struct waiting_settle *waiting = context;
    waiting->status =
        try_deliver(waiting->opened, waiting->claim, &waiting->settled, &waiting->error);
    return NULL;
}

/* The other transaction locks the second row, waits until the driver has locked the first and waits
 * for the second, and then asks for the first. It is patient, so that the driver is the one to give
 * way. */
static void a_deadlock_is_tried_again(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    fixture_enqueue(fixture, 2);
    struct waiting_settle waiting = {
        .opened = &opened, .claim = claim_from(&opened, 2), .error = OUTBOX_ERROR_INIT};
    PGconn *other = connect_aside(fixture);
    PQclear(run_sql(other, "SET deadlock_timeout = '60s'"));
    PQclear(run_sql(other, "BEGIN"));
    PQclear(run_sql(other, "SELECT FROM openoutbox_events WHERE event_id ="
                           " '00000000-0000-7000-8000-000000000001' FOR UPDATE"));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, settle_in_thread, &waiting), 0);
    expect_soon(fixture, WAITING, "1");
    PQclear(run_sql(other, "SELECT FROM openoutbox_events WHERE event_id ="
                           " '00000000-0000-7000-8000-000000000000' FOR UPDATE"));
    PQclear(run_sql(other, "COMMIT"));
    PQfinish(other);
    assert_int_equal(pthread_join(thread, NULL), 0);
    contract_ok(waiting.status, &waiting.error);
    assert_int_equal(waiting.settled, 2);
    close_opened(&opened);
}

/* ---- Bytes -------------------------------------------------------------------------------- */

static void a_reason_of_any_bytes_is_stored(void **state)
{
    struct fixture *fixture = *state;
    static const char reason[] = "a\0b\xff\xc3\xa9\xed\xa0\x80 end";
    fixture_enqueue(fixture, 1);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 1);
    const struct outbox_settlement settlement = {
        .verdict = OUTBOX_SETTLE_DEAD, .charge = 1, .error = {reason, sizeof(reason) - 1}};
    const struct outbox_settle_request request = {sizeof(request), claim, &settlement,
                                                  sizeof(settlement), 1};
    struct outbox_settle_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->settle(fixture->sessions[0], &request, &result, &error), &error);
    expect(fixture, "SELECT last_error FROM openoutbox_events", "a?b?\xc3\xa9??? end");
}

/* Such a database checks no text, so any bytes may be in it. */
static void a_database_without_an_encoding_gives_its_bytes(void **state)
{
    struct fixture *fixture = *state;
    const char *own = ((struct server *)fixture->contract->context)->url;
    fixture_execute(fixture, "DROP DATABASE IF EXISTS outbox_tests_ascii");
    fixture_execute(fixture, "CREATE DATABASE outbox_tests_ascii ENCODING 'SQL_ASCII'"
                             " LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    char url[1024], last[200];
    (void)snprintf(url, sizeof(url), "%s%cdbname=outbox_tests_ascii", own,
                   strchr(own, '?') ? '&' : '?');
    const struct contract_value value = {.name = "url", .text = url};
    struct opened opened;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(try_open(fixture, &opened, &value, 1, OUTBOX_MODE_LEASE, &error), &error);
    opened.session = contract_session_open(fixture->contract->plugin, opened.store);
    contract_ok(opened.ops->schema(opened.store, opened.session, OUTBOX_SCHEMA_APPLY, keep_last,
                                   last, &error),
                &error);
    const struct outbox_new_event event = {.type = outbox_slice_of("caf\xe9"),
                                           .payload = outbox_slice_of("p")};
    const struct outbox_enqueue_request request = {sizeof(request), &event, sizeof(event), 1};
    contract_ok(opened.ops->enqueue(opened.session, &request, &error), &error);
    struct outbox_claim *claim = claim_from(&opened, 1);
    assert_int_equal(claim->count, 1);
    assert_true(fixture_same(outbox_claim_at(claim, 0)->type, "caf\xe9"));
    assert_int_equal(deliver(&opened, claim), 1);
    close_opened(&opened);
    fixture_execute(fixture, "DROP DATABASE outbox_tests_ascii");
}

static enum outbox_status enqueue_ten(struct fixture *fixture, int odd, const char *id,
                                      const char *headers, struct outbox_error *error)
{
    struct outbox_new_event events[10];
    for (int i = 0; i < 10; i++)
        events[i] = (struct outbox_new_event){.type = outbox_slice_of("t"),
                                              .payload = outbox_slice_of("p")};
    events[odd].id = outbox_slice_of(id);
    events[odd].headers = outbox_slice_of(headers);
    const struct outbox_enqueue_request request = {sizeof(request), events, sizeof(events[0]), 10};
    return fixture->ops->enqueue(fixture->sessions[0], &request, error);
}

static void an_event_that_cannot_be_inserted_is_named(void **state)
{
    struct fixture *fixture = *state;
    static const char id[] = "01234567-89ab-7cde-8f01-23456789abcd";
    const struct {
        const char *id, *headers, *why;
    } cases[] = {{id, "{\"a\": }", "json"},
                 {id, "[1]", "no JSON object"},
                 {id, "{\"a\": \"\\u0000\"}", "Unicode"},
                 {"0123", "{}", "no UUID"}};
    for (int i = 0; i < 4; i++) {
        struct outbox_error error = OUTBOX_ERROR_INIT;
        assert_int_equal(enqueue_ten(fixture, 2 * i, cases[i].id, cases[i].headers, &error),
                         OUTBOX_INVALID);
        char name[80];
        (void)snprintf(name, sizeof(name), "event %d (id %s)", 2 * i, cases[i].id);
        assert_non_null(strstr(error.text, name));
        assert_non_null(strstr(error.text, cases[i].why));
    }
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(enqueue_ten(fixture, 9, id, "{}", &error), &error);
    assert_int_equal(enqueue_ten(fixture, 7, id, "{}", &error), OUTBOX_INVALID);
    assert_non_null(strstr(error.text, "event 7 (id 01234567"));
    assert_string_equal(error.native, "23505");
    assert_int_equal(fixture_count(fixture, "true"), 10);
}

/* ---- Waking ------------------------------------------------------------------------------- */

static int readable(int fd)
{
    struct pollfd pollfd = {fd, POLLIN, 0};
    return poll(&pollfd, 1, 0);
}

/* A second listener sees every notification, wanted or not. */
static int notifications(PGconn *listener)
{
    int count = 0;
    PQclear(run_sql(listener, "SELECT 1"));
    for (PGnotify *notify = PQnotifies(listener); notify; notify = PQnotifies(listener)) {
        PQfreemem(notify);
        count++;
    }
    return count;
}

static void producers_notify_only_while_a_relay_sleeps(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    char channel[64], listen[80];
    fixture->contract->query(fixture->contract->context,
                             "SELECT 'outbox_wake_' || 'openoutbox_events'::regclass::oid", channel,
                             sizeof(channel));
    (void)snprintf(listen, sizeof(listen), "LISTEN %s", channel);
    PGconn *listener = connect_aside(fixture);
    PQclear(run_sql(listener, listen));
    fixture_enqueue(fixture, 1);
    assert_int_equal(notifications(listener), 0);
    int fd = -1;
    for (int round = 0; round < 3; round++) {
        contract_ok(opened.ops->wake_arm(opened.store, &fd, &error), &error);
        assert_int_equal(readable(fd), 0);
        fixture_enqueue(fixture, 5);
        struct pollfd pollfd = {fd, POLLIN, 0};
        assert_int_equal(poll(&pollfd, 1, 30000), 1);
        assert_int_equal(notifications(listener), 1);
        opened.ops->wake_disarm(opened.store);
        assert_int_equal(readable(fd), 0);
        fixture_enqueue(fixture, 5);
        assert_int_equal(notifications(listener), 0);
    }
    PQfinish(listener);
    close_opened(&opened);
}

static void a_broken_wake_up_is_reported_and_made_again(void **state)
{
    struct fixture *fixture = *state;
    struct opened opened;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    int fd = -1;
    open_with(fixture, &opened, NULL, 0, OUTBOX_MODE_LEASE);
    opened.host.now = stopped_now;
    contract_ok(opened.ops->wake_arm(opened.store, &fd, &error), &error);
    opened.ops->wake_disarm(opened.store);
    fixture_execute(fixture, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE"
                             " application_name = '" SESSION_NAME "'");
    assert_int_equal(opened.ops->wake_arm(opened.store, &fd, &error), OUTBOX_UNAVAILABLE);
    assert_int_equal(opened.ops->wake_arm(opened.store, &fd, &error), OUTBOX_UNAVAILABLE);
    stopped_clock += 60000000000;
    contract_ok(opened.ops->wake_arm(opened.store, &fd, &error), &error);
    fixture_enqueue(fixture, 1);
    struct pollfd pollfd = {fd, POLLIN, 0};
    assert_int_equal(poll(&pollfd, 1, 30000), 1);
    opened.ops->wake_disarm(opened.store);
    close_opened(&opened);
}

/* ---- Two at once -------------------------------------------------------------------------- */

struct init {
    struct opened opened;
    enum outbox_status status;
    struct outbox_error error;
};

static void *init_in_thread(void *context)
{
    struct init *init = context;
    char last[200];
    init->status = init->opened.ops->schema(init->opened.store, init->opened.session,
                                            OUTBOX_SCHEMA_APPLY, keep_last, last, &init->error);
    return NULL;
}

static void inits_at_once_do_not_hurt_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct init inits[4] = {{.error = OUTBOX_ERROR_INIT}};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        open_with(fixture, &inits[i].opened, NULL, 0, OUTBOX_MODE_LEASE);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, init_in_thread, &inits[i]), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 4; i++) {
        contract_ok(inits[i].status, &inits[i].error);
        close_opened(&inits[i].opened);
    }
    fixture_enqueue(fixture, 1);
}

const struct CMUnitTest postgres_fault_tests[] = {
    CONTRACT_TEST(a_secret_is_in_no_error, fixture_setup_no_table),
    CONTRACT_TEST(a_database_that_does_not_exist_is_told_from_a_server_that_is_away,
                  fixture_setup_no_table),
    CONTRACT_TEST(a_wrong_setting_is_named_with_the_nearest, fixture_setup_no_table),
    CONTRACT_TEST(a_terminated_session_is_unavailable_and_another_works, fixture_setup_lease),
    CONTRACT_TEST(a_server_that_is_read_only_is_said_to_be, fixture_setup_lease),
    CONTRACT_TEST(an_interrupt_ends_the_wait_at_once_and_the_session_is_lost, fixture_setup_lease),
    CONTRACT_TEST(a_statement_that_takes_too_long_times_out, fixture_setup_lease),
    CONTRACT_TEST(a_deadlock_is_tried_again, fixture_setup_lease),
    CONTRACT_TEST(a_reason_of_any_bytes_is_stored, fixture_setup_lease),
    CONTRACT_TEST(a_database_without_an_encoding_gives_its_bytes, fixture_setup_no_table),
    CONTRACT_TEST(an_event_that_cannot_be_inserted_is_named, fixture_setup_lease),
    CONTRACT_TEST(producers_notify_only_while_a_relay_sleeps, fixture_setup_lease),
    CONTRACT_TEST(a_broken_wake_up_is_reported_and_made_again, fixture_setup_lease),
    CONTRACT_TEST(inits_at_once_do_not_hurt_each_other, fixture_setup_no_table),
};
const size_t postgres_fault_test_count =
    sizeof(postgres_fault_tests) / sizeof(postgres_fault_tests[0]);
