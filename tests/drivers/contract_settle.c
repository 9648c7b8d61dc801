/*
 * contract_settle.c - what settling promises
 * SPDX-License-Identifier: MIT
 */
#include "store_fixture.h"

#include <stdlib.h>

static const char *const states[] = {"DELIVERED", "PENDING", "DEAD", "DEAD", "PENDING"};
static const char *const attempts[] = {"0", "1", "1", "0", "0"};

/* One event for each verdict, DEAD with and without a charge. */
static struct outbox_settle_result settle_mixed(struct fixture *fixture, int session,
                                                struct outbox_claim *claim)
{
    const struct outbox_settlement mixed[] = {
        {0, OUTBOX_SETTLE_DELIVERED, 0, 0, {NULL, 0}},
        {1, OUTBOX_SETTLE_RETRY, 0, INT64_C(3600000000), outbox_slice_of("it's down")},
        {2, OUTBOX_SETTLE_DEAD, 1, 0, outbox_slice_of("too often")},
        {3, OUTBOX_SETTLE_DEAD, 0, 0, outbox_slice_of("too large")},
        {4, OUTBOX_SETTLE_RELEASE, 0, 0, {NULL, 0}},
    };
    const struct outbox_settle_request request = {sizeof(request), claim, mixed, sizeof(mixed[0]),
                                                  5};
    struct outbox_settle_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->settle(fixture->sessions[session], &request, &result, &error),
                &error);
    return result;
}

static void mixed_verdicts_are_settled_in_one_call(void **state)
{
    struct fixture *fixture = *state;
    char instant[128], where[256];
    fixture_enqueue(fixture, 5);
    struct outbox_settle_result result = settle_mixed(fixture, 0, fixture_claim(fixture, 0, 5));
    assert_int_equal(result.settled, 5);
    assert_int_equal(result.stale, 0);
    for (int i = 0; i < 5; i++) {
        fixture_expect(fixture, i, "status", states[i]);
        fixture_expect(fixture, i, "attempts", attempts[i]);
    }
    fixture_expect(fixture, 0, "last_error", "NULL");
    fixture_expect(fixture, 1, "last_error", "it's down");
    fixture_expect(fixture, 3, "last_error", "too large");
    fixture->contract->instant(instant, sizeof(instant), 3000);
    (void)snprintf(where, sizeof(where), "available_at > %s", instant);
    assert_int_equal(fixture_count(fixture, where), 1);
    fixture_check_invariants(fixture);
    assert_int_equal(fixture_claim(fixture, 1, 10)->count, 1); /* the released one */
}

static void part_of_a_claim_can_be_settled(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 10);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 10);
    assert_int_equal(fixture_settle(fixture, 0, claim, 3, 4, OUTBOX_SETTLE_DELIVERED).settled, 4);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 6);
    fixture_expect(fixture, 2, "status", "DELIVERING");
    fixture_expect(fixture, 3, "status", "DELIVERED");
    assert_int_equal(fixture_settle(fixture, 0, claim, 7, 3, OUTBOX_SETTLE_DELIVERED).settled, 3);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 3, OUTBOX_SETTLE_DELIVERED).settled, 3);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERED'"), 10);
    fixture_check_invariants(fixture);
}

static void a_settled_event_is_not_settled_again(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 2);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 2);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 1, OUTBOX_SETTLE_DELIVERED).settled, 1);
    struct outbox_settle_result again = fixture_settle(fixture, 0, claim, 0, 2, OUTBOX_SETTLE_DEAD);
    assert_int_equal(again.settled, 1);
    assert_int_equal(again.stale, 1);
    fixture_expect(fixture, 0, "status", "DELIVERED");
    fixture_expect(fixture, 1, "status", "DEAD");
}

static void what_was_claimed_again_meanwhile_is_stale(void **state)
{
    struct fixture *fixture = *state;
    static const enum outbox_verdict verdicts[] = {OUTBOX_SETTLE_DELIVERED, OUTBOX_SETTLE_RETRY,
                                                   OUTBOX_SETTLE_DEAD, OUTBOX_SETTLE_RELEASE};
    fixture_enqueue(fixture, 4);
    struct outbox_claim *first = fixture_claim(fixture, 0, 4);
    fixture_age_leases(fixture, 100);
    assert_int_equal(fixture_reap(fixture, 1, 25, 0).returned, 4);
    (void)fixture_claim_as(fixture, 1, 4, OWNER "second");
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 4);
    for (uint64_t i = 0; i < 4; i++) {
        struct outbox_settle_result result = fixture_settle(fixture, 0, first, i, 1, verdicts[i]);
        assert_int_equal(result.settled, 0);
        assert_int_equal(result.stale, 1);
    }
    assert_int_equal(fixture_count(fixture, "locked_by LIKE '%" OWNER "second%'"), 4);
    assert_int_equal(fixture_count(fixture, "attempts = 1"), 4); /* of the reaping */
    fixture_check_invariants(fixture);
}

static void settling_and_claiming_are_one_step(void **state)
{
    struct fixture *fixture = *state;
    if (!fixture->ops->settle_and_claim)
        skip();
    fixture_enqueue(fixture, 6);
    struct outbox_claim *first = fixture_claim(fixture, 0, 3), *second = NULL;
    const struct outbox_settlement settlements[] = {
        {0, OUTBOX_SETTLE_DELIVERED, 0, 0, {NULL, 0}},
        {1, OUTBOX_SETTLE_DELIVERED, 0, 0, {NULL, 0}},
        {2, OUTBOX_SETTLE_DEAD, 1, 0, outbox_slice_of("no")},
    };
    const struct outbox_settle_request settle = {sizeof(settle), first, settlements,
                                                 sizeof(settlements[0]), 3};
    const struct outbox_claim_request request = {
        .size = sizeof(request),
        .max_events = 10,
        .max_payload = 1000,
        .token = outbox_slice_of(OWNER "second"),
    };
    struct outbox_settle_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->settle_and_claim(fixture->sessions[0], &settle, &result, &request,
                                               &second, &error),
                &error);
    assert_non_null(second);
    fixture_keep(fixture, 0, second);
    assert_int_equal(result.settled, 3);
    assert_int_equal(second->count, 3);
    char id[EVENT_ID_SIZE];
    fixture_id(id, 3);
    assert_true(fixture_same(outbox_claim_at(second, 0)->id, id));
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERED'"), 2);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 3);
    fixture_check_invariants(fixture);
    assert_int_equal(fixture_settle(fixture, 0, second, 0, 3, OUTBOX_SETTLE_DELIVERED).settled, 3);
}

static void delivered_rows_are_deleted_where_asked(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 5);
    struct outbox_settle_result result = settle_mixed(fixture, 0, fixture_claim(fixture, 0, 5));
    assert_int_equal(result.settled, 5);
    assert_int_equal(result.stale, 0);
    assert_int_equal(fixture_count(fixture, "1 = 1"), 4);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERED'"), 0);
    assert_int_equal(fixture_count(fixture, "status = 'DEAD'"), 2);
    assert_int_equal(fixture_count(fixture, "status = 'PENDING'"), 2);
}

static void a_released_event_is_claimable_at_once_and_not_charged(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 6);
    struct outbox_claim *first = fixture_claim(fixture, 0, 3);
    struct outbox_claim *later = fixture_claim(fixture, 0, 3);
    assert_int_equal(fixture_settle(fixture, 0, later, 0, 3, OUTBOX_SETTLE_DELIVERED).settled, 3);
    /* Older than everything that was claimed since: below any low watermark. */
    assert_int_equal(fixture_settle(fixture, 0, first, 0, 3, OUTBOX_SETTLE_RELEASE).settled, 3);
    const struct outbox_claim_request request = {
        .size = sizeof(request),
        .max_events = 10,
        .max_payload = 1000,
        .token = outbox_slice_of(OWNER "again"),
    };
    struct outbox_claim *again = NULL;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->claim(fixture->sessions[0], &request, &again, &error), &error);
    fixture_keep(fixture, 0, again);
    assert_int_equal(again->count, 3);
    assert_int_equal(outbox_claim_at(again, 0)->attempts, 0);
    fixture_check_invariants(fixture);
}

static void a_retry_counts_and_keeps_its_error_when_delivered(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 1);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 1);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 1, OUTBOX_SETTLE_RETRY).settled, 1);
    claim = fixture_claim(fixture, 0, 1);
    assert_int_equal(claim->count, 1);
    assert_int_equal(outbox_claim_at(claim, 0)->attempts, 1);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 1, OUTBOX_SETTLE_DELIVERED).settled, 1);
    fixture_expect(fixture, 0, "last_error", "the broker said no");
    fixture_expect(fixture, 0, "status", "DELIVERED");
}

static void a_row_deleted_meanwhile_is_stale(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 2);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 2);
    fixture_execute(fixture, "DELETE FROM %s", fixture->contract->table);
    fixture_enqueue(fixture, 2); /* may come to lie where the old ones were */
    struct outbox_settle_result result =
        fixture_settle(fixture, 0, claim, 0, 2, OUTBOX_SETTLE_DELIVERED);
    assert_int_equal(result.settled, 0);
    assert_int_equal(result.stale, 2);
    assert_int_equal(fixture_count(fixture, "status = 'PENDING'"), 2);
}

const struct CMUnitTest contract_settle_tests[] = {
    CONTRACT_TEST(mixed_verdicts_are_settled_in_one_call, fixture_setup_lease),
    CONTRACT_TEST(part_of_a_claim_can_be_settled, fixture_setup_lease),
    CONTRACT_TEST(a_settled_event_is_not_settled_again, fixture_setup_lease),
    CONTRACT_TEST(what_was_claimed_again_meanwhile_is_stale, fixture_setup_lease),
    CONTRACT_TEST(settling_and_claiming_are_one_step, fixture_setup_lease),
    CONTRACT_TEST(delivered_rows_are_deleted_where_asked, fixture_setup_lease_delete),
    CONTRACT_TEST(a_released_event_is_claimable_at_once_and_not_charged, fixture_setup_lease),
    CONTRACT_TEST(a_retry_counts_and_keeps_its_error_when_delivered, fixture_setup_lease),
    CONTRACT_TEST(a_row_deleted_meanwhile_is_stale, fixture_setup_lease),
};
const size_t contract_settle_test_count =
    sizeof(contract_settle_tests) / sizeof(contract_settle_tests[0]);
