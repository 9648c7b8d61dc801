/*
 * test_export_allowance.c - how much of the processor sending may take
 * SPDX-License-Identifier: MIT
 */
#include "clock.h"
#include "telemetry/export_allowance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SHARE 0.1

static void little_may_be_sent_at_once(void **state)
{
    struct allowance allowance;
    (void)state;
    allowance_init(&allowance, SHARE, SECOND, 5 * SECOND);
    assert_true(allowance_ready_at(&allowance, SECOND) == SECOND);
    allowance_charge(&allowance, SECOND, 5 * SECOND + 10 * MILLISECOND);
    assert_true(allowance_ready_at(&allowance, SECOND) == SECOND);
}

static void who_took_much_waits_until_it_is_a_share(void **state)
{
    struct allowance allowance;
    int64_t now = SECOND, used = 0;
    (void)state;
    allowance_init(&allowance, SHARE, now, used);
    for (int i = 0; i < 50; i++) {
        used += 30 * MILLISECOND;
        now += 30 * MILLISECOND;
        allowance_charge(&allowance, now, used);
        int64_t ready = allowance_ready_at(&allowance, now);
        assert_true(ready > now);
        now = ready;
        allowance_charge(&allowance, now, used);
        assert_true(allowance_ready_at(&allowance, now) <= now);
    }
    /* 1.5 s of work in about 15 s. */
    assert_in_range(now, SECOND + 14 * SECOND, SECOND + 16 * SECOND);
}

static void a_long_rest_saves_nothing_up(void **state)
{
    struct allowance allowance;
    (void)state;
    allowance_init(&allowance, SHARE, 0, 0);
    allowance_charge(&allowance, 3600 * SECOND, 0);
    allowance_charge(&allowance, 3600 * SECOND, SECOND);
    int64_t ready = allowance_ready_at(&allowance, 3600 * SECOND);
    assert_in_range(ready, 3609 * SECOND, 3610 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_may_be_sent_at_once),
        cmocka_unit_test(who_took_much_waits_until_it_is_a_share),
        cmocka_unit_test(a_long_rest_saves_nothing_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
