/*
 * contract_lease.c - what leases promise: renewing, expiring, surviving their session
 * SPDX-License-Identifier: MIT
 */
#include "store_fixture.h"

static struct outbox_settle_result renew(struct fixture *fixture, int session, const char *token,
                                         uint64_t expected)
{
    struct outbox_settle_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->renew(fixture->sessions[session], outbox_slice_of(token), expected,
                                    &result, &error),
                &error);
    return result;
}

static void a_fresh_lease_is_not_reaped(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 3);
    (void)fixture_claim(fixture, 0, 3);
    struct outbox_reap_result result = fixture_reap(fixture, 1, 25, 0);
    assert_int_equal(result.returned, 0);
    assert_int_equal(result.dead, 0);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 3);
}

static void an_expired_lease_is_charged_as_an_attempt(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 3);
    (void)fixture_claim(fixture, 0, 2);
    fixture_age_leases(fixture, 61);
    struct outbox_reap_result result = fixture_reap(fixture, 1, 25, 0);
    assert_int_equal(result.returned, 2);
    assert_int_equal(result.dead, 0);
    assert_int_equal(fixture_count(fixture, "status = 'PENDING' AND attempts = 1"), 2);
    assert_int_equal(fixture_count(fixture, "attempts = 1 AND last_error IS NOT NULL"), 2);
    assert_int_equal(fixture_count(fixture, "attempts = 0 AND last_error IS NULL"), 1);
    fixture_check_invariants(fixture);
    assert_int_equal(fixture_claim(fixture, 1, 10)->count, 3);
}

static void reaping_backs_off(void **state)
{
    struct fixture *fixture = *state;
    char instant[128], where[256];
    fixture_enqueue(fixture, 1);
    fixture_execute(fixture, "UPDATE %s SET attempts = 3", fixture->contract->table);
    (void)fixture_claim(fixture, 0, 1);
    fixture_age_leases(fixture, 61);
    assert_int_equal(fixture_reap(fixture, 1, 25, INT64_C(100000000)).returned, 1);
    /* The fourth attempt: 100 s * 2^3. */
    fixture->contract->instant(instant, sizeof(instant), 700);
    (void)snprintf(where, sizeof(where), "available_at > %s", instant);
    assert_int_equal(fixture_count(fixture, where), 1);
    fixture->contract->instant(instant, sizeof(instant), 801);
    (void)snprintf(where, sizeof(where), "available_at > %s", instant);
    assert_int_equal(fixture_count(fixture, where), 0);
    assert_int_equal(fixture_claim(fixture, 1, 10)->count, 0);
}

static void an_event_that_crashes_its_relay_ends_dead(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 2);
    for (int attempt = 1; attempt <= 3; attempt++) {
        struct outbox_claim *claim = fixture_claim(fixture, 0, 2);
        assert_int_equal(claim->count, 2);
        fixture_claim_close(fixture, 0, claim);
        fixture_age_leases(fixture, 61);
        struct outbox_reap_result result = fixture_reap(fixture, 1, 3, 0);
        assert_int_equal(result.returned, attempt < 3 ? 2 : 0);
        assert_int_equal(result.dead, attempt < 3 ? 0 : 2);
    }
    assert_int_equal(fixture_count(fixture, "status = 'DEAD' AND attempts = 3"), 2);
    assert_int_equal(fixture_count(fixture, "last_error IS NOT NULL"), 2);
    fixture_check_invariants(fixture);
}

/* The greatest number of an SQL integer. */
static void attempts_at_the_end_of_their_range_block_no_other_event(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 4);
    fixture_execute(fixture,
                    "UPDATE %s SET attempts = 2147483647 WHERE event_id = "
                    "'00000000-0000-7000-8000-000000000000'",
                    fixture->contract->table);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 4);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 4, OUTBOX_SETTLE_RETRY).settled, 4);
    assert_int_equal(fixture_claim(fixture, 0, 4)->count, 4);
    fixture_age_leases(fixture, 61);
    struct outbox_reap_result result = fixture_reap(fixture, 1, 25, 0);
    assert_int_equal(result.returned, 3);
    assert_int_equal(result.dead, 1);
    assert_int_equal(fixture_count(fixture, "attempts >= 2147483647 AND status = 'DEAD'"), 1);
    assert_int_equal(fixture_count(fixture, "attempts = 2 AND status = 'PENDING'"), 3);
}

static void a_lease_of_another_make_of_relay_lasts_longer(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 2);
    (void)fixture_claim_as(fixture, 0, 1, "another-make:77");
    (void)fixture_claim(fixture, 0, 1);
    fixture_age_leases(fixture, 300);
    assert_int_equal(fixture_reap(fixture, 1, 25, 0).returned, 1); /* ours */
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 1);
    fixture_age_leases(fixture, 601);
    assert_int_equal(fixture_reap(fixture, 1, 25, 0).returned, 1);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 0);
}

static void a_row_that_another_relay_holds_is_not_claimed(void **state)
{
    struct fixture *fixture = *state;
    char instant[128];
    fixture_enqueue(fixture, 2);
    fixture->contract->instant(instant, sizeof(instant), 0);
    fixture_execute(fixture,
                    "UPDATE %s SET status = 'DELIVERING', locked_by = 'go-relay', locked_at = %s "
                    "WHERE event_id = '00000000-0000-7000-8000-000000000000'",
                    fixture->contract->table, instant);
    assert_int_equal(fixture_claim(fixture, 0, 10)->count, 1);
    fixture_expect(fixture, 0, "locked_by", "go-relay");
}

static void reaping_stops_at_max_events(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 5);
    (void)fixture_claim(fixture, 0, 5);
    fixture_age_leases(fixture, 61);
    const struct outbox_reap_request request = {
        .size = sizeof(request),
        .lease = 1000000,
        .foreign_lease = 1000000,
        .owner_prefix = outbox_slice_of(OWNER),
        .max_attempts = 25,
        .max_events = 2,
    };
    struct outbox_reap_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->reap(fixture->sessions[1], &request, &result, &error), &error);
    assert_int_equal(result.returned, 2);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 3);
}

static void renewing_keeps_a_lease_from_being_reaped(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 3);
    (void)fixture_claim_as(fixture, 0, 2, OWNER "slow");
    (void)fixture_claim_as(fixture, 0, 1, OWNER "other");
    fixture_age_leases(fixture, 100);
    struct outbox_settle_result renewed = renew(fixture, 1, OWNER "slow", 2);
    assert_int_equal(renewed.stale, 0);
    assert_int_equal(fixture_reap(fixture, 1, 25, 0).returned, 1); /* of the other claim */
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 2);
}

static void renewing_reports_what_is_held_no_longer(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 3);
    struct outbox_claim *claim = fixture_claim_as(fixture, 0, 3, OWNER "slow");
    fixture_age_leases(fixture, 100);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 1, OUTBOX_SETTLE_DELIVERED).settled, 1);
    assert_int_equal(renew(fixture, 0, OWNER "slow", 2).stale, 0);
    fixture_age_leases(fixture, 100);
    assert_int_equal(fixture_reap(fixture, 1, 25, 0).returned, 2);
    assert_int_equal(renew(fixture, 0, OWNER "slow", 2).stale, 2);
    assert_int_equal(fixture_count(fixture, "status = 'PENDING'"), 2);
    fixture_check_invariants(fixture);
}

/* Renewing, and any UPDATE of another program, moves rows in stores that keep versions. */
static void what_moved_while_it_was_leased_is_settled_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 4);
    struct outbox_claim *claim = fixture_claim_as(fixture, 0, 4, OWNER "moved");
    assert_int_equal(renew(fixture, 1, OWNER "moved", 4).settled, 4);
    struct outbox_settle_result result =
        fixture_settle(fixture, 0, claim, 0, 4, OUTBOX_SETTLE_DELIVERED);
    assert_int_equal(result.settled, 4);
    assert_int_equal(result.stale, 0);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERED'"), 4);

    fixture_enqueue(fixture, 4);
    claim = fixture_claim_as(fixture, 0, 4, OWNER "touched");
    for (uint64_t i = 1; i < 3; i++)
        fixture_execute(fixture, "UPDATE %s SET updated_at = updated_at WHERE event_id = '%.*s'",
                        fixture->contract->table, (int)outbox_claim_at(claim, i)->id.len,
                        outbox_claim_at(claim, i)->id.data);
    result = fixture_settle(fixture, 0, claim, 0, 4, OUTBOX_SETTLE_DELIVERED);
    assert_int_equal(result.settled, 4);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERED'"), 8);
    fixture_check_invariants(fixture);
}

static void of_a_claim_in_which_one_was_taken_over_the_rest_is_settled(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 3);
    struct outbox_claim *claim = fixture_claim_as(fixture, 0, 3, OWNER "first");
    fixture_execute(fixture, "UPDATE %s SET locked_by = '%s' WHERE event_id = '%.*s'",
                    fixture->contract->table, OWNER "thief", (int)outbox_claim_at(claim, 1)->id.len,
                    outbox_claim_at(claim, 1)->id.data);
    struct outbox_settle_result result =
        fixture_settle(fixture, 0, claim, 0, 3, OUTBOX_SETTLE_DELIVERED);
    assert_int_equal(result.settled, 2);
    assert_int_equal(result.stale, 1);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 1);
}

static void a_claim_outlives_its_session_until_its_lease_expires(void **state)
{
    struct fixture *fixture = *state;
    fixture_enqueue(fixture, 3);
    (void)fixture_claim(fixture, 0, 3);
    fixture_session_close(fixture, 0);
    fixture_session_reopen(fixture, 0);
    assert_int_equal(fixture_claim(fixture, 0, 10)->count, 0);
    assert_int_equal(fixture_reap(fixture, 0, 25, 0).returned, 0);
    fixture_age_leases(fixture, 61);
    assert_int_equal(fixture_reap(fixture, 0, 25, 0).returned, 3);
    struct outbox_claim *again = fixture_claim(fixture, 0, 10);
    assert_int_equal(again->count, 3);
    assert_int_equal(outbox_claim_at(again, 0)->attempts, 1);
    assert_int_equal(fixture_settle(fixture, 0, again, 0, 3, OUTBOX_SETTLE_DELIVERED).settled, 3);
}

static void a_claim_may_outlive_every_session(void **state)
{
    struct fixture *fixture = *state;
    char token[] = OWNER "orphan";
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_claim *claim = NULL;
    struct outbox_claim_request request = {.size = sizeof(request),
                                           .max_events = 3,
                                           .max_payload = 1024,
                                           .token = outbox_slice_of(token)};
    fixture_enqueue(fixture, 3);
    contract_ok(fixture->ops->claim(fixture->sessions[0], &request, &claim, &error), &error);
    assert_int_equal(claim->count, 3);
    fixture_session_close(fixture, 0);
    assert_true(outbox_claim_at(claim, 2)->id.len > 0);
    fixture->ops->claim_close(NULL, claim);
    fixture_session_reopen(fixture, 0);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 3);
}

static void a_claim_of_a_lost_session_is_settled_through_another(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_claim *claim = NULL;
    struct outbox_claim_request request = {.size = sizeof(request),
                                           .max_events = 3,
                                           .max_payload = 1024,
                                           .token = outbox_slice_of(OWNER "moved-on")};
    fixture_enqueue(fixture, 3);
    contract_ok(fixture->ops->claim(fixture->sessions[0], &request, &claim, &error), &error);
    fixture_session_close(fixture, 0);
    assert_int_equal(fixture_settle(fixture, 1, claim, 0, 3, OUTBOX_SETTLE_DELIVERED).settled, 3);
    fixture->ops->claim_close(fixture->sessions[1], claim);
    fixture_session_reopen(fixture, 0);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERED'"), 3);
}

const struct CMUnitTest contract_lease_tests[] = {
    CONTRACT_TEST(a_fresh_lease_is_not_reaped, fixture_setup_lease),
    CONTRACT_TEST(an_expired_lease_is_charged_as_an_attempt, fixture_setup_lease),
    CONTRACT_TEST(reaping_backs_off, fixture_setup_lease),
    CONTRACT_TEST(an_event_that_crashes_its_relay_ends_dead, fixture_setup_lease),
    CONTRACT_TEST(attempts_at_the_end_of_their_range_block_no_other_event, fixture_setup_lease),
    CONTRACT_TEST(a_lease_of_another_make_of_relay_lasts_longer, fixture_setup_lease),
    CONTRACT_TEST(a_row_that_another_relay_holds_is_not_claimed, fixture_setup_lease),
    CONTRACT_TEST(reaping_stops_at_max_events, fixture_setup_lease),
    CONTRACT_TEST(renewing_keeps_a_lease_from_being_reaped, fixture_setup_lease),
    CONTRACT_TEST(renewing_reports_what_is_held_no_longer, fixture_setup_lease),
    CONTRACT_TEST(what_moved_while_it_was_leased_is_settled_all_the_same, fixture_setup_lease),
    CONTRACT_TEST(of_a_claim_in_which_one_was_taken_over_the_rest_is_settled, fixture_setup_lease),
    CONTRACT_TEST(a_claim_may_outlive_every_session, fixture_setup_lease),
    CONTRACT_TEST(a_claim_of_a_lost_session_is_settled_through_another, fixture_setup_lease),
    CONTRACT_TEST(a_claim_outlives_its_session_until_its_lease_expires, fixture_setup_lease),
};
const size_t contract_lease_test_count =
    sizeof(contract_lease_tests) / sizeof(contract_lease_tests[0]);
