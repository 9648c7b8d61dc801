/*
 * test_verdict.c - from outcomes to settlements, and how long a retry waits
 * SPDX-License-Identifier: MIT
 */
#include "clock.h"
#include "verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct tunables TUNABLES = {
    .max_attempts = 5, .base_delay = SECOND, .max_delay = 60 * SECOND, .jitter = 0.15};

static void a_retry_waits_twice_as_long_each_time_up_to_the_limit(void **state)
{
    (void)state;
    assert_int_equal(retry_delay(&TUNABLES, 1, 0), 1000000);
    assert_int_equal(retry_delay(&TUNABLES, 2, 0), 2000000);
    assert_int_equal(retry_delay(&TUNABLES, 6, 0), 32000000);
    assert_int_equal(retry_delay(&TUNABLES, 7, 0), 60000000);
    assert_int_equal(retry_delay(&TUNABLES, INT64_MAX, 0), 60000000);
}

static void jitter_only_adds_and_by_no_more_than_its_share(void **state)
{
    (void)state;
    struct random random;
    random_init(&random);
    for (int i = 0; i < 10000; i++) {
        int64_t delay = retry_delay(&TUNABLES, 1, random_fraction(&random));
        assert_in_range(delay, 1000000, 1150000);
    }
}

struct expectation {
    uint8_t outcome;
    int64_t attempts;
    uint32_t verdict, charge;
};

static void every_outcome_has_its_verdict(void **state)
{
    (void)state;
    static const struct expectation expected[] = {
        {OUTBOX_ACKED, 0, OUTBOX_SETTLE_DELIVERED, 0},
        {OUTBOX_RETRY, 3, OUTBOX_SETTLE_RETRY, 0},
        {OUTBOX_RETRY, 4, OUTBOX_SETTLE_DEAD, 1},
        {OUTBOX_UNKNOWN, 0, OUTBOX_SETTLE_RETRY, 0},
        {OUTBOX_REJECTED, 0, OUTBOX_SETTLE_DEAD, 1},
        {OUTBOX_AWAY, 4, OUTBOX_SETTLE_RELEASE, 0},
        {OUTCOME_TIMED_OUT, 0, OUTBOX_SETTLE_RETRY, 0},
        {OUTCOME_TIMED_OUT, 4, OUTBOX_SETTLE_DEAD, 1},
        {OUTCOME_SHUTDOWN, 4, OUTBOX_SETTLE_RELEASE, 0},
        {OUTCOME_UNSENDABLE, 0, OUTBOX_SETTLE_DEAD, 0},
        {OUTCOME_OPEN, 0, 0, 0},
    };
    enum { COUNT = sizeof(expected) / sizeof(expected[0]) };
    struct outbox_event events[COUNT] = {0};
    struct batch_event outcomes[COUNT] = {0};
    struct outbox_settlement settlements[COUNT];
    struct verdict_counts counts;
    struct random random = {1};
    struct outbox_claim claim = {sizeof(claim), events, sizeof(events[0]), COUNT};
    struct batch batch = {.claim = &claim, .count = COUNT, .events = outcomes};

    for (size_t i = 0; i < COUNT; i++) {
        events[i].attempts = expected[i].attempts;
        atomic_init(&outcomes[i].outcome, expected[i].outcome);
        outcomes[i].reason = outbox_slice_of("why");
    }
    assert_int_equal(verdicts_gather(&batch, &TUNABLES, &random, settlements, &counts), COUNT - 1);
    for (size_t i = 0; i < COUNT - 1; i++) {
        assert_int_equal(settlements[i].index, i);
        assert_int_equal(settlements[i].verdict, expected[i].verdict);
        assert_int_equal(settlements[i].charge, expected[i].charge);
        if (expected[i].outcome != OUTBOX_ACKED && expected[i].outcome != OUTCOME_SHUTDOWN)
            assert_non_null(settlements[i].error.data);
        bool waits =
            expected[i].verdict == OUTBOX_SETTLE_RETRY || expected[i].verdict == OUTBOX_SETTLE_DEAD;
        assert_true(waits == (settlements[i].delay > 0));
    }
    assert_int_equal(counts.delivered, 1);
    assert_int_equal(counts.retried, 3);
    assert_int_equal(counts.unknown, 3);
    assert_int_equal(counts.dead, 4);
    assert_int_equal(counts.released, 2);
}

static void what_is_settled_is_not_settled_again(void **state)
{
    (void)state;
    struct outbox_event events[2] = {0};
    struct batch_event outcomes[2] = {{.settled = true}, {.settled = false}};
    struct outbox_settlement settlements[2];
    struct verdict_counts counts;
    struct random random = {1};
    struct outbox_claim claim = {sizeof(claim), events, sizeof(events[0]), 2};
    struct batch batch = {.claim = &claim, .count = 2, .events = outcomes};

    atomic_init(&outcomes[0].outcome, OUTBOX_ACKED);
    atomic_init(&outcomes[1].outcome, OUTBOX_ACKED);
    assert_int_equal(verdicts_gather(&batch, &TUNABLES, &random, settlements, &counts), 1);
    assert_int_equal(settlements[0].index, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_retry_waits_twice_as_long_each_time_up_to_the_limit),
        cmocka_unit_test(jitter_only_adds_and_by_no_more_than_its_share),
        cmocka_unit_test(every_outcome_has_its_verdict),
        cmocka_unit_test(what_is_settled_is_not_settled_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
