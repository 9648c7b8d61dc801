/*
 * contract_prune.c - deleting finished events: which, how many at a time, and by whom
 * SPDX-License-Identifier: MIT
 */
#include "store_fixture.h"

#define SECOND INT64_C(1000000)

static struct outbox_prune_result prune(struct fixture *fixture,
                                        const struct outbox_prune_request *request)
{
    struct outbox_prune_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->prune(fixture->sessions[0], request, &result, &error), &error);
    return result;
}

/* A whole pass; no call may delete more than `batch`. */
static struct outbox_prune_result pass(struct fixture *fixture, int64_t delivered_age,
                                       int64_t dead_age, uint64_t batch)
{
    struct outbox_prune_request request = {.size = sizeof(request),
                                           .delivered_age = delivered_age,
                                           .dead_age = dead_age,
                                           .max_events = batch};
    struct outbox_prune_result all = {.size = sizeof(all)};
    do {
        struct outbox_prune_result one = prune(fixture, &request);
        assert_true(one.delivered + one.dead <= batch);
        all.delivered += one.delivered;
        all.dead += one.dead;
        request.position = one.position;
    } while (request.position != 0);
    return all;
}

/* Events in every state, all of them last touched that long ago: 5 delivered, 3 dead, 2 in other
 * hands, 4 pending, of which one is scheduled. */
static void fill(struct fixture *fixture, int64_t seconds)
{
    char then[128], later[128];
    const char *table = fixture->contract->table;
    fixture->contract->instant(then, sizeof(then), -seconds);
    fixture->contract->instant(later, sizeof(later), 1000);
    fixture_enqueue(fixture, 10);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 10);
    assert_int_equal(claim->count, 10);
    (void)fixture_settle(fixture, 0, claim, 0, 5, OUTBOX_SETTLE_DELIVERED);
    (void)fixture_settle(fixture, 0, claim, 5, 3, OUTBOX_SETTLE_DEAD);
    fixture_enqueue(fixture, 4);
    fixture_execute(fixture, "UPDATE %s SET delivered_at = %s WHERE status = 'DELIVERED'", table,
                    then);
    fixture_execute(fixture, "UPDATE %s SET created_at = %s, available_at = %s, updated_at = %s",
                    table, then, then, then);
    fixture_execute(fixture,
                    "UPDATE %s SET available_at = %s WHERE event_id ="
                    " '00000000-0000-7000-8000-00000000000d'",
                    table, later);
}

static void old_finished_events_are_deleted_and_no_others(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 100);
    struct outbox_prune_result result = pass(fixture, 99 * SECOND, 99 * SECOND, 1000);
    assert_int_equal(result.delivered, 5);
    assert_int_equal(result.dead, 3);
    assert_int_equal(fixture_count(fixture, "status = 'PENDING'"), 4);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 2);
    assert_int_equal(fixture_count(fixture, "status IN ('DELIVERED', 'DEAD')"), 0);
}

static void young_events_stay(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 100);
    struct outbox_prune_result result = pass(fixture, 130 * SECOND, 99 * SECOND, 1000);
    assert_int_equal(result.delivered, 0);
    assert_int_equal(result.dead, 3);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERED'"), 5);
}

static void what_has_no_age_is_kept(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 100);
    struct outbox_prune_result result = pass(fixture, 0, -1, 1000);
    assert_int_equal(result.delivered, 5);
    assert_int_equal(result.dead, 0);
    assert_int_equal(fixture_count(fixture, "status = 'DEAD'"), 3);
    assert_int_equal(pass(fixture, -1, 0, 1000).dead, 3);
}

static void a_pass_goes_on_in_batches(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 100);
    struct outbox_prune_result result = pass(fixture, 0, 0, 3);
    assert_int_equal(result.delivered, 5);
    assert_int_equal(result.dead, 3);
    assert_int_equal(fixture_count(fixture, "1 = 1"), 6);
}

static void counting_deletes_nothing(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 100);
    const struct outbox_prune_request request = {
        .size = sizeof(request), .delivered_age = 0, .dead_age = 130 * SECOND, .only_count = 1};
    struct outbox_prune_result result = prune(fixture, &request);
    assert_int_equal(result.delivered, 5);
    assert_int_equal(result.dead, 0);
    assert_int_equal(result.position, 0);
    assert_int_equal(fixture_count(fixture, "1 = 1"), 14);
}

static void an_empty_table_is_done_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_prune_result result = pass(fixture, 0, 0, 10);
    assert_int_equal(result.delivered + result.dead, 0);
}

static bool maintain(struct fixture *fixture, int session, uint32_t wanted)
{
    uint32_t granted = 7;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->maintain(fixture->sessions[session], wanted, &granted, &error),
                &error);
    assert_true(granted <= 1);
    return granted;
}

static void one_session_maintains_the_table(void **state)
{
    struct fixture *fixture = *state;
    if (!fixture->ops->maintain)
        return; /* as the header allows: then several may */
    assert_true(maintain(fixture, 0, 1));
    assert_true(maintain(fixture, 0, 1));
    assert_false(maintain(fixture, 1, 1));
    assert_false(maintain(fixture, 0, 0));
    assert_true(maintain(fixture, 1, 1));
    assert_false(maintain(fixture, 0, 1));
    fixture_session_close(fixture, 1);
    /* The server may notice a little later that it is gone. */
    bool is_ours = false;
    for (int tries = 0; !is_ours && tries < 10000; tries++)
        is_ours = maintain(fixture, 0, 1);
    assert_true(is_ours);
}

const struct CMUnitTest contract_prune_tests[] = {
    CONTRACT_TEST(old_finished_events_are_deleted_and_no_others, fixture_setup_lease),
    CONTRACT_TEST(young_events_stay, fixture_setup_lease),
    CONTRACT_TEST(what_has_no_age_is_kept, fixture_setup_lease),
    CONTRACT_TEST(a_pass_goes_on_in_batches, fixture_setup_lease),
    CONTRACT_TEST(counting_deletes_nothing, fixture_setup_lease),
    CONTRACT_TEST(an_empty_table_is_done_at_once, fixture_setup_lease),
    CONTRACT_TEST(one_session_maintains_the_table, fixture_setup_lease),
};
const size_t contract_prune_test_count =
    sizeof(contract_prune_tests) / sizeof(contract_prune_tests[0]);
