/*
 * contract_hold.c - what claiming in mode `hold` promises
 * SPDX-License-Identifier: MIT
 */
#include "store_fixture.h"

static void what_is_held_is_invisible_to_others(void **state)
{
    struct fixture *fixture = *state;
    char id[EVENT_ID_SIZE];
    fixture_enqueue(fixture, 5);
    assert_int_equal(fixture_claim(fixture, 0, 3)->count, 3);
    struct outbox_claim *other = fixture_claim(fixture, 1, 10);
    assert_int_equal(other->count, 2);
    fixture_id(id, 3);
    assert_true(fixture_same(outbox_claim_at(other, 0)->id, id));
}

static void abandoning_frees_the_rows(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    fixture_enqueue(fixture, 5);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 5);
    contract_ok(fixture->ops->abandon(fixture->sessions[0], claim, &error), &error);
    fixture_claim_close(fixture, 0, claim);
    struct outbox_claim *again = fixture_claim(fixture, 1, 10);
    assert_int_equal(again->count, 5);
    assert_int_equal(outbox_claim_at(again, 0)->attempts, 0);
}

static void closing_the_session_frees_the_rows(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 5);
    assert_int_equal(fixture_claim(fixture, 0, 5)->count, 5);
    assert_int_equal(fixture_claim(fixture, 1, 10)->count, 0);
    fixture_session_close(fixture, 1);
    fixture_session_reopen(fixture, 1);
    fixture_session_close(fixture, 0);
    assert_int_equal(fixture_claim(fixture, 1, 10)->count, 5);
}

static void settling_commits_every_outcome_and_frees_the_rows(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 4);
    const struct outbox_settlement mixed[] = {
        {0, OUTBOX_SETTLE_DELIVERED, 0, 0, {NULL, 0}},
        {1, OUTBOX_SETTLE_RETRY, 0, INT64_C(3600000000), outbox_slice_of("down")},
        {2, OUTBOX_SETTLE_DEAD, 1, 0, outbox_slice_of("no")},
        {3, OUTBOX_SETTLE_RELEASE, 0, 0, {NULL, 0}},
    };
    struct outbox_claim *claim = fixture_claim(fixture, 0, 4);
    const struct outbox_settle_request request = {sizeof(request), claim, mixed, sizeof(mixed[0]),
                                                  4};
    struct outbox_settle_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->settle(fixture->sessions[0], &request, &result, &error), &error);
    assert_int_equal(result.settled, 4);
    assert_int_equal(result.stale, 0);
    fixture_expect(fixture, 0, "status", "DELIVERED");
    fixture_expect(fixture, 1, "attempts", "1");
    fixture_expect(fixture, 1, "status", "PENDING");
    fixture_expect(fixture, 2, "status", "DEAD");
    fixture_expect(fixture, 3, "attempts", "0");
    fixture_check_invariants(fixture);
    fixture_claim_close(fixture, 0, claim);
    assert_int_equal(fixture_claim(fixture, 1, 10)->count, 1);
}

static void holding_again_after_settling_works(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 6);
    for (int i = 0; i < 3; i++) {
        struct outbox_claim *claim = fixture_claim(fixture, 0, 2);
        assert_int_equal(claim->count, 2);
        assert_int_equal(fixture_settle(fixture, 0, claim, 0, 2, OUTBOX_SETTLE_DELIVERED).settled,
                         2);
        fixture_claim_close(fixture, 0, claim);
    }
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERED'"), 6);
}

const struct CMUnitTest contract_hold_tests[] = {
    CONTRACT_TEST(what_is_held_is_invisible_to_others, fixture_setup_hold),
    CONTRACT_TEST(abandoning_frees_the_rows, fixture_setup_hold),
    CONTRACT_TEST(closing_the_session_frees_the_rows, fixture_setup_hold),
    CONTRACT_TEST(settling_commits_every_outcome_and_frees_the_rows, fixture_setup_hold),
    CONTRACT_TEST(holding_again_after_settling_works, fixture_setup_hold),
};
const size_t contract_hold_test_count =
    sizeof(contract_hold_tests) / sizeof(contract_hold_tests[0]);
