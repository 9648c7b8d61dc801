/*
 * contract_claim.c - what claiming promises
 * SPDX-License-Identifier: MIT
 */
#include "store_fixture.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static void enqueue_payload(struct fixture *fixture, const void *data, size_t len)
{
    const struct outbox_new_event event = {
        .type = outbox_slice_of("bytes"),
        .payload = {data, len},
    };
    const struct outbox_enqueue_request request = {sizeof(request), &event, sizeof(event), 1};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->enqueue(fixture->sessions[0], &request, &error), &error);
}

static void claim_gives_payload(struct fixture *fixture, const void *data, size_t len)
{
    enqueue_payload(fixture, data, len);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 10);
    assert_int_equal(claim->count, 1);
    const struct outbox_event *event = outbox_claim_at(claim, 0);
    assert_non_null(event->payload.data);
    assert_int_equal(event->payload.len, len);
    assert_int_equal(event->payload_size, len);
    if (len > 0)
        assert_memory_equal(event->payload.data, data, len);
    fixture_claim_close(fixture, 0, claim);
}

static void payloads_come_back_byte_for_byte(void **state)
{
    struct fixture *fixture = *state;
    static const unsigned char odd[] = {0x00, 0xff, 0xfe, 0x00, '\'', '\\', 0xc3, 0x28, 0x0a, 0x00};
    char *large = malloc(1 << 20);
    assert_non_null(large);
    for (size_t i = 0; i < 1 << 20; i++)
        large[i] = (char)(i * 131 >> 3);
    claim_gives_payload(fixture, odd, sizeof(odd));
    claim_gives_payload(fixture, "", 0);
    claim_gives_payload(fixture, large, 1 << 20);
    free(large);
}

static void a_payload_of_a_producers_own_insert_comes_back(void **state)
{
    struct fixture *fixture = *state;
    static const unsigned char bytes[] = {0x00, 0x80, 0xff, 'x'};
    char literal[64], id[EVENT_ID_SIZE];
    fixture_id(id, 1);
    fixture->contract->bytes(literal, sizeof(literal), bytes, sizeof(bytes));
    fixture_execute(fixture,
                    "INSERT INTO %s (event_id, event_type, payload) VALUES ('%s', 't', %s)",
                    fixture->contract->table, id, literal);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 10);
    assert_int_equal(claim->count, 1);
    const struct outbox_event *event = outbox_claim_at(claim, 0);
    assert_true(fixture_same(event->id, id));
    assert_int_equal(event->payload.len, sizeof(bytes));
    assert_memory_equal(event->payload.data, bytes, sizeof(bytes));
    assert_null(event->partition_key.data);
    assert_null(event->ordering_key.data);
}

static void fields_of_an_event_come_back(void **state)
{
    struct fixture *fixture = *state;
    char id[EVENT_ID_SIZE];
    fixture_id(id, 7);
    /* Headers are written as a JSON column would give them back. */
    const struct outbox_new_event given = {
        .id = outbox_slice_of(id),
        .type = outbox_slice_of("order.pläced"),
        .payload = outbox_slice_of("p"),
        .headers = outbox_slice_of("{\"a\": \"1\", \"bb\": \"zw\xc3\xb6lf\"}"),
        .partition_key = outbox_slice_of("customer-1"),
        .ordering_key = outbox_slice_of("order-9"),
        .aggregate_type = outbox_slice_of("order"),
        .aggregate_id = outbox_slice_of(""),
    };
    const struct outbox_enqueue_request request = {sizeof(request), &given, sizeof(given), 1};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->enqueue(fixture->sessions[0], &request, &error), &error);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 10);
    assert_int_equal(claim->count, 1);
    const struct outbox_event *event = outbox_claim_at(claim, 0);
    assert_true(fixture_same(event->id, id));
    assert_true(fixture_same(event->type, "order.pläced"));
    assert_true(fixture_same(event->headers, given.headers.data));
    assert_true(fixture_same(event->partition_key, "customer-1"));
    assert_true(fixture_same(event->ordering_key, "order-9"));
    assert_true(fixture_same(event->aggregate_type, "order"));
    assert_true(fixture_same(event->aggregate_id, ""));
    assert_int_equal(event->attempts, 0);
    assert_true(llabs((long long)(event->created_at - (int64_t)time(NULL) * 1000000)) < 600000000);
    assert_true(llabs((long long)(event->available_at - event->created_at)) < 600000000);
}

static void an_id_is_made_where_none_is_given(void **state)
{
    struct fixture *fixture = *state;
    enqueue_payload(fixture, "a", 1);
    enqueue_payload(fixture, "b", 1);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 10);
    assert_int_equal(claim->count, 2);
    const struct outbox_event *first = outbox_claim_at(claim, 0),
                              *second = outbox_claim_at(claim, 1);
    assert_int_equal(first->id.len, 36);
    assert_int_equal(first->id.data[14], '7'); /* the version of the UUID */
    assert_int_equal(second->id.len, 36);
    assert_memory_not_equal(first->id.data, second->id.data, 36);
}

static void claims_come_oldest_first(void **state)
{
    struct fixture *fixture = *state;
    static const int64_t ages[] = {20, 40, 10, 30};
    static const int expected[] = {1, 3, 0, 2};
    char id[EVENT_ID_SIZE];
    for (int i = 0; i < 4; i++) {
        fixture_id(id, i);
        fixture_insert_at(fixture, id, -ages[i]);
    }
    struct outbox_claim *claim = fixture_claim(fixture, 0, 10);
    assert_int_equal(claim->count, 4);
    for (uint64_t i = 0; i < 4; i++) {
        fixture_id(id, expected[i]);
        assert_true(fixture_same(outbox_claim_at(claim, i)->id, id));
    }
}

static void equal_times_come_in_the_order_of_insertion(void **state)
{
    struct fixture *fixture = *state;
    char id[EVENT_ID_SIZE];
    fixture_enqueue(fixture, 50);
    for (int from = 0; from < 50; from += 10) {
        struct outbox_claim *claim = fixture_claim(fixture, 0, 10);
        assert_int_equal(claim->count, 10);
        for (int i = 0; i < 10; i++) {
            fixture_id(id, from + i);
            assert_true(fixture_same(outbox_claim_at(claim, (uint64_t)i)->id, id));
        }
        fixture_claim_close(fixture, 0, claim);
    }
}

static void a_scheduled_event_waits(void **state)
{
    struct fixture *fixture = *state;
    char id[EVENT_ID_SIZE], later[128];
    fixture_id(id, 1);
    fixture_insert_at(fixture, id, 3600);
    assert_int_equal(fixture_claim(fixture, 0, 10)->count, 0);
    fixture->contract->instant(later, sizeof(later), -1);
    fixture_execute(fixture, "UPDATE %s SET available_at = %s", fixture->contract->table, later);
    assert_int_equal(fixture_claim(fixture, 0, 10)->count, 1);
}

static void enqueue_can_schedule(void **state)
{
    struct fixture *fixture = *state;
    const int64_t when = ((int64_t)time(NULL) + 3600) * 1000000;
    const struct outbox_new_event event = {
        .type = outbox_slice_of("t"), .payload = outbox_slice_of("p"), .available_at = when};
    const struct outbox_enqueue_request request = {sizeof(request), &event, sizeof(event), 1};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->enqueue(fixture->sessions[0], &request, &error), &error);
    assert_int_equal(fixture_claim(fixture, 0, 10)->count, 0);
    char sql[128], where[256];
    fixture->contract->instant(sql, sizeof(sql), 3000);
    (void)snprintf(where, sizeof(where), "available_at > %s", sql);
    assert_int_equal(fixture_count(fixture, where), 1);
}

static void max_events_is_respected(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 10);
    assert_int_equal(fixture_claim(fixture, 0, 4)->count, 4);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 4);
    assert_int_equal(fixture_claim(fixture, 0, 4)->count, 4);
    assert_int_equal(fixture_claim(fixture, 0, 4)->count, 2);
    assert_int_equal(fixture_claim(fixture, 0, 4)->count, 0);
}

static void a_payload_over_the_limit_stays_in_the_database(void **state)
{
    struct fixture *fixture = *state;
    char *bytes = calloc(1, 5001);
    assert_non_null(bytes);
    enqueue_payload(fixture, bytes, 5000);
    enqueue_payload(fixture, bytes, 5001);
    struct outbox_claim *claim = fixture_claim_payload(fixture, 0, 10, 5000);
    free(bytes);
    assert_int_equal(claim->count, 2);
    assert_non_null(outbox_claim_at(claim, 0)->payload.data);
    assert_int_equal(outbox_claim_at(claim, 0)->payload_size, 5000);
    assert_null(outbox_claim_at(claim, 1)->payload.data);
    assert_int_equal(outbox_claim_at(claim, 1)->payload_size, 5001);
}

static void a_claim_is_committed_under_its_token(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 3);
    (void)fixture_claim_as(fixture, 0, 2, OWNER "me");
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 2);
    assert_int_equal(fixture_count(fixture, "locked_by LIKE '%" OWNER "me%'"), 2);
    assert_int_equal(fixture_count(fixture, "status = 'PENDING'"), 1);
    fixture_check_invariants(fixture);
}

static void claims_stay_readable_beside_each_other(void **state)
{
    struct fixture *fixture = *state;
    char id[EVENT_ID_SIZE];
    fixture_enqueue(fixture, 6);
    struct outbox_claim *claims[3];
    for (int i = 0; i < 3; i++)
        claims[i] = fixture_claim(fixture, 0, 2);
    for (int i = 0; i < 6; i++) {
        fixture_id(id, i);
        assert_true(fixture_same(outbox_claim_at(claims[i / 2], (uint64_t)(i % 2))->id, id));
    }
}

static void an_event_that_commits_late_with_an_older_time_is_found(void **state)
{
    struct fixture *fixture = *state;
    char id[EVENT_ID_SIZE];
    fixture_enqueue(fixture, 5);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 5);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 5, OUTBOX_SETTLE_DELIVERED).settled, 5);
    fixture_claim_close(fixture, 0, claim);

    fixture_id(id, 100);
    fixture_insert_at(fixture, id, -3600);
    claim = fixture_claim(fixture, 0, 5); /* from the start: at once */
    assert_int_equal(claim->count, 1);
    assert_true(fixture_same(outbox_claim_at(claim, 0)->id, id));
    fixture_claim_close(fixture, 0, claim);

    fixture_id(id, 101);
    fixture_insert_at(fixture, id, -3600);
    const struct outbox_claim_request request = {
        .size = sizeof(request),
        .max_events = 5,
        .max_payload = 1000,
        .token = outbox_slice_of(OWNER "late"),
    };
    uint64_t found = 0;
    const time_t give_up = time(NULL) + 60;
    while (found == 0 && time(NULL) < give_up) { /* else: within a bounded time */
        struct outbox_error error = OUTBOX_ERROR_INIT;
        contract_ok(fixture->ops->claim(fixture->sessions[0], &request, &claim, &error), &error);
        found = claim->count;
        fixture->ops->claim_close(fixture->sessions[0], claim);
    }
    assert_int_equal(found, 1);
}

/* ---- Two at once -------------------------------------------------------------------------- */

struct claimer {
    struct fixture *fixture;
    int session;
    int claims_of[400]; /* how often it got each event */
    enum outbox_status status;
    struct outbox_error error;
};

static void note_claimed(struct claimer *claimer, const struct outbox_claim *claim)
{
    for (uint64_t i = 0; i < claim->count; i++) {
        struct outbox_slice id = outbox_claim_at(claim, i)->id;
        char digits[13] = "";
        memcpy(digits, id.data + id.len - 12, 12);
        long number = strtol(digits, NULL, 16);
        if (number >= 0 && number < 400)
            claimer->claims_of[number]++;
    }
}

static void *claim_until_empty(void *context)
{
    struct claimer *claimer = context;
    const struct outbox_store_ops *ops = claimer->fixture->ops;
    struct outbox_session *session = claimer->fixture->sessions[claimer->session];
    uint64_t count = 1;
    for (int i = 0; count > 0; i++) {
        char token[64];
        (void)snprintf(token, sizeof(token), OWNER "%d/%d", claimer->session, i);
        const struct outbox_claim_request request = {
            .size = sizeof(request),
            .max_events = 7,
            .max_payload = 1000,
            .token = outbox_slice_of(token),
            .flags = OUTBOX_CLAIM_FROM_START,
        };
        struct outbox_claim *claim = NULL;
        claimer->status = ops->claim(session, &request, &claim, &claimer->error);
        if (claimer->status != OUTBOX_OK)
            return NULL;
        count = claim->count;
        note_claimed(claimer, claim);
        ops->claim_close(session, claim);
    }
    return NULL;
}

static void two_sessions_never_claim_the_same_event(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 400);
    struct claimer *claimers = calloc(2, sizeof(*claimers));
    assert_non_null(claimers);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        claimers[i].fixture = fixture;
        claimers[i].session = i;
        claimers[i].error.size = sizeof(claimers[i].error);
        assert_int_equal(pthread_create(&threads[i], NULL, claim_until_empty, &claimers[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 2; i++)
        contract_ok(claimers[i].status, &claimers[i].error);
    for (int i = 0; i < 400; i++)
        assert_int_equal(claimers[0].claims_of[i] + claimers[1].claims_of[i], 1);
    free(claimers);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 400);
}

const struct CMUnitTest contract_claim_tests[] = {
    CONTRACT_TEST(payloads_come_back_byte_for_byte, fixture_setup_lease),
    CONTRACT_TEST(a_payload_of_a_producers_own_insert_comes_back, fixture_setup_lease),
    CONTRACT_TEST(fields_of_an_event_come_back, fixture_setup_lease),
    CONTRACT_TEST(an_id_is_made_where_none_is_given, fixture_setup_lease),
    CONTRACT_TEST(claims_come_oldest_first, fixture_setup_lease),
    CONTRACT_TEST(equal_times_come_in_the_order_of_insertion, fixture_setup_lease),
    CONTRACT_TEST(a_scheduled_event_waits, fixture_setup_lease),
    CONTRACT_TEST(enqueue_can_schedule, fixture_setup_lease),
    CONTRACT_TEST(max_events_is_respected, fixture_setup_lease),
    CONTRACT_TEST(a_payload_over_the_limit_stays_in_the_database, fixture_setup_lease),
    CONTRACT_TEST(a_claim_is_committed_under_its_token, fixture_setup_lease),
    CONTRACT_TEST(claims_stay_readable_beside_each_other, fixture_setup_lease),
    CONTRACT_TEST(an_event_that_commits_late_with_an_older_time_is_found, fixture_setup_lease),
    CONTRACT_TEST(two_sessions_never_claim_the_same_event, fixture_setup_lease),
};
const size_t contract_claim_test_count =
    sizeof(contract_claim_tests) / sizeof(contract_claim_tests[0]);
