/*
 * contract_holders.c - who holds events: told by the token of the claim, cheaply, changing nothing
 * SPDX-License-Identifier: MIT
 */
#include "store_fixture.h"

#define SECOND INT64_C(1000000)

struct seen {
    struct outbox_holder holder; /* without its token */
    char token[4 * OUTBOX_HOLDER_TOKEN_MAX + 1];
};

struct report {
    struct seen seen[OUTBOX_HOLDERS_MAX];
    int count;
    uint32_t partial;
};

static void see(void *context, const struct outbox_holder *holder)
{
    struct report *report = context;
    assert_true(report->count < OUTBOX_HOLDERS_MAX);
    assert_true(holder->size >= sizeof(*holder));
    assert_true(holder->events > 0);
    struct seen *seen = &report->seen[report->count++];
    assert_true(holder->token.len < sizeof(seen->token));
    seen->holder = *holder;
    if (holder->token.data)
        memcpy(seen->token, holder->token.data, (size_t)holder->token.len);
    seen->token[holder->token.len] = '\0';
}

static void read_holders(struct fixture *fixture, struct report *report)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    *report = (struct report){.partial = 2};
    contract_ok(fixture->ops->holders(fixture->sessions[1], see, report, &report->partial, &error),
                &error);
    assert_true(report->partial <= 1);
}

static const struct seen *find(const struct report *report, const char *token)
{
    for (int i = 0; i < report->count; i++)
        if (strcmp(report->seen[i].token, token) == 0)
            return &report->seen[i];
    fail_msg("nobody holds anything as '%s'", token);
    return NULL;
}

/* Held by whoever `owner` is, an SQL expression, for that long. */
static void take_over(struct fixture *fixture, int number, const char *owner, int64_t seconds)
{
    char id[EVENT_ID_SIZE], instant[128];
    fixture_id(id, number);
    fixture->contract->instant(instant, sizeof(instant), -seconds);
    fixture_execute(fixture,
                    "UPDATE %s SET status = 'DELIVERING', locked_by = %s, locked_at = %s"
                    " WHERE event_id = '%s'",
                    fixture->contract->table, owner, instant, id);
}

static void nobody_holds_what_waits_or_is_finished(void **state)
{
    struct fixture *fixture = *state;
    struct report report;
    read_holders(fixture, &report);
    assert_int_equal(report.count, 0);
    assert_int_equal(report.partial, 0);
    fixture_enqueue(fixture, 4);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 3);
    (void)fixture_settle(fixture, 0, claim, 0, 1, OUTBOX_SETTLE_DELIVERED);
    (void)fixture_settle(fixture, 0, claim, 1, 1, OUTBOX_SETTLE_DEAD);
    (void)fixture_settle(fixture, 0, claim, 2, 1, OUTBOX_SETTLE_RELEASE);
    read_holders(fixture, &report);
    assert_int_equal(report.count, 0);
}

static void what_is_held_is_told_by_token_the_longest_first(void **state)
{
    struct fixture *fixture = *state;
    struct report report;
    fixture_enqueue(fixture, 6);
    (void)fixture_claim_as(fixture, 0, 3, OWNER "old");
    fixture_age_leases(fixture, 100);
    (void)fixture_claim_as(fixture, 0, 2, OWNER "new");
    read_holders(fixture, &report);
    assert_int_equal(report.count, 2);
    assert_int_equal(report.partial, 0);
    assert_string_equal(report.seen[0].token, OWNER "old");
    assert_int_equal(report.seen[0].holder.events, 3);
    assert_true(report.seen[0].holder.held_for >= 100 * SECOND);
    assert_string_equal(report.seen[1].token, OWNER "new");
    assert_int_equal(report.seen[1].holder.events, 2);
    assert_in_range(report.seen[1].holder.held_for, 0, report.seen[0].holder.held_for);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING'"), 5);
}

static void the_earliest_event_of_a_token_counts_and_a_future_one_is_no_age(void **state)
{
    struct fixture *fixture = *state;
    struct report report;
    fixture_enqueue(fixture, 3);
    take_over(fixture, 0, "'clock'", 500);
    take_over(fixture, 1, "'clock'", 5);
    take_over(fixture, 2, "'fast-clock'", -500);
    read_holders(fixture, &report);
    assert_int_equal(find(&report, "clock")->holder.events, 2);
    assert_true(find(&report, "clock")->holder.held_for >= 500 * SECOND);
    assert_int_equal(find(&report, "fast-clock")->holder.held_for, 0);
}

static void renewing_makes_it_younger(void **state)
{
    struct fixture *fixture = *state;
    struct report report;
    struct outbox_settle_result renewed = {.size = sizeof(renewed)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    fixture_enqueue(fixture, 2);
    (void)fixture_claim_as(fixture, 0, 2, OWNER "slow");
    fixture_age_leases(fixture, 100000);
    contract_ok(fixture->ops->renew(fixture->sessions[0], outbox_slice_of(OWNER "slow"), 2,
                                    &renewed, &error),
                &error);
    read_holders(fixture, &report);
    assert_in_range(find(&report, OWNER "slow")->holder.held_for, 0, 99999 * SECOND);
}

static void whatever_another_program_wrote_is_told_as_it_is(void **state)
{
    static const char markup[] = "<script>alert(1)</script> \xc3\xa4\xe2\x82\xac";
    char wide[OUTBOX_HOLDER_TOKEN_MAX + 9], literal[sizeof(wide) + 2], quoted[sizeof(markup) + 2];
    struct fixture *fixture = *state;
    struct report report;
    memset(wide, 'w', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    (void)snprintf(literal, sizeof(literal), "'%s'", wide);
    (void)snprintf(quoted, sizeof(quoted), "'%s'", markup);
    wide[OUTBOX_HOLDER_TOKEN_MAX] = '\0';
    fixture_enqueue(fixture, 4);
    take_over(fixture, 0, quoted, 40);
    take_over(fixture, 1, "''", 30);
    take_over(fixture, 2, literal, 20);
    take_over(fixture, 3, "NULL", 10);
    read_holders(fixture, &report);
    assert_int_equal(report.count, 4);
    assert_string_equal(report.seen[0].token, markup);
    assert_non_null(report.seen[1].holder.token.data);
    assert_int_equal(report.seen[1].holder.token.len, 0);
    assert_string_equal(report.seen[2].token, wide);
    assert_null(report.seen[3].holder.token.data);
}

static void of_very_many_tokens_some_are_told_and_that_there_are_more(void **state)
{
    struct fixture *fixture = *state;
    struct report report;
    char owner[32];
    fixture_enqueue(fixture, OUTBOX_HOLDERS_MAX + 1);
    for (int i = 0; i < OUTBOX_HOLDERS_MAX; i++) {
        (void)snprintf(owner, sizeof(owner), "'relay-%d'", i);
        take_over(fixture, i, owner, 1000 - i);
    }
    read_holders(fixture, &report);
    assert_int_equal(report.count, OUTBOX_HOLDERS_MAX);
    assert_int_equal(report.partial, 0);
    take_over(fixture, OUTBOX_HOLDERS_MAX, "'one-more'", 0);
    read_holders(fixture, &report);
    assert_int_equal(report.count, OUTBOX_HOLDERS_MAX);
    assert_int_equal(report.partial, 1);
    assert_string_equal(report.seen[0].token, "relay-0");
}

static void refuse_to_see(void *context, const struct outbox_holder *holder)
{
    (void)context;
    fail_msg("%.*s is told to hold something", (int)holder->token.len, holder->token.data);
}

static void in_mode_hold_it_is_not_known(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    uint32_t partial = 0;
    fixture_enqueue(fixture, 3);
    assert_int_equal(fixture_claim(fixture, 0, 2)->count, 2);
    assert_int_equal(
        fixture->ops->holders(fixture->sessions[1], refuse_to_see, NULL, &partial, &error),
        OUTBOX_UNSUPPORTED);
    assert_non_null(strstr(error.text, "mode hold"));
}

const struct CMUnitTest contract_holders_tests[] = {
    CONTRACT_TEST(nobody_holds_what_waits_or_is_finished, fixture_setup_lease),
    CONTRACT_TEST(what_is_held_is_told_by_token_the_longest_first, fixture_setup_lease),
    CONTRACT_TEST(the_earliest_event_of_a_token_counts_and_a_future_one_is_no_age,
                  fixture_setup_lease),
    CONTRACT_TEST(renewing_makes_it_younger, fixture_setup_lease),
    CONTRACT_TEST(whatever_another_program_wrote_is_told_as_it_is, fixture_setup_lease),
    CONTRACT_TEST(of_very_many_tokens_some_are_told_and_that_there_are_more, fixture_setup_lease),
};
const size_t contract_holders_test_count =
    sizeof(contract_holders_tests) / sizeof(contract_holders_tests[0]);

const struct CMUnitTest contract_holders_hold_tests[] = {
    CONTRACT_TEST(in_mode_hold_it_is_not_known, fixture_setup_hold),
};
const size_t contract_holders_hold_test_count =
    sizeof(contract_holders_hold_tests) / sizeof(contract_holders_hold_tests[0]);
