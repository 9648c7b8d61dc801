/*
 * test_stretch.c - which stretches of time lack a partition
 * SPDX-License-Identifier: MIT
 */
#include "stretch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define DAY (INT64_C(86400) * 1000000)

static int64_t at(int year, int month, int day)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    return (int64_t)timegm(&tm) * 1000000;
}

/* All that is missing from `from` to `end`, filled in; their names, one after the other. */
static void assert_missing(const struct stretch *taken, size_t count,
                           enum outbox_partition_period period, int64_t from, int64_t end,
                           const char *expected)
{
    char names[512] = "", name[PERIOD_NAME];
    size_t length = 0;
    struct stretch missing = {0};
    for (; stretch_missing(taken, count, period, from, end, &missing); from = missing.until) {
        assert_true(missing.from < missing.until);
        for (size_t i = 0; i < count; i++)
            assert_true(missing.until <= taken[i].from || missing.from >= taken[i].until);
        stretch_name(period, missing, name);
        length += (size_t)snprintf(names + length, sizeof(names) - length, " %s", name);
    }
    assert_string_equal(names, expected);
}

static void without_any_the_period_of_the_start_is_missing_as_a_whole(void **state)
{
    (void)state;
    struct stretch missing;
    assert_true(
        stretch_missing(NULL, 0, OUTBOX_PERIOD_DAY, at(2024, 2, 29) + 7, at(2024, 3, 1), &missing));
    assert_int_equal(missing.from, at(2024, 2, 29));
    assert_int_equal(missing.until, at(2024, 3, 1));
    assert_missing(NULL, 0, OUTBOX_PERIOD_DAY, at(2024, 2, 28), at(2024, 3, 1) + 1,
                   " p20240228 p20240229 p20240301");
    assert_missing(NULL, 0, OUTBOX_PERIOD_MONTH, at(2023, 12, 31), at(2024, 2, 1),
                   " p202312 p202401");
}

static void what_is_covered_is_not_missing(void **state)
{
    (void)state;
    const struct stretch all = {INT64_MIN, INT64_MAX}, old = {INT64_MIN, at(2024, 1, 2)};
    assert_missing(&all, 1, OUTBOX_PERIOD_DAY, at(2024, 1, 1), at(2024, 1, 9), "");
    assert_missing(&old, 1, OUTBOX_PERIOD_DAY, at(2024, 1, 1), at(2024, 1, 4),
                   " p20240102 p20240103");
    assert_missing(&old, 1, OUTBOX_PERIOD_DAY, at(2024, 1, 1), at(2024, 1, 2), "");
}

static void gaps_are_filled_and_nothing_overlaps(void **state)
{
    (void)state;
    const struct stretch taken[] = {{at(2024, 1, 1), at(2024, 1, 2)},
                                    {at(2024, 1, 3), at(2024, 1, 4) + DAY / 2},
                                    {at(2024, 1, 6), INT64_MAX}};
    assert_missing(taken, 3, OUTBOX_PERIOD_DAY, at(2024, 1, 1), at(2024, 1, 9),
                   " p20240102 p20240104 p20240105");
}

static void months_take_what_days_left_and_days_what_months_left(void **state)
{
    (void)state;
    const struct stretch days[] = {{at(2024, 2, 3), at(2024, 2, 4)},
                                   {at(2024, 2, 10), at(2024, 2, 11)}};
    assert_missing(days, 2, OUTBOX_PERIOD_MONTH, at(2024, 2, 1), at(2024, 3, 2),
                   " p202402 p20240204 p20240211 p202403");
    const struct stretch month = {at(2024, 1, 1), at(2024, 2, 1)};
    assert_missing(&month, 1, OUTBOX_PERIOD_DAY, at(2024, 1, 30), at(2024, 2, 3),
                   " p20240201 p20240202");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_any_the_period_of_the_start_is_missing_as_a_whole),
        cmocka_unit_test(what_is_covered_is_not_missing),
        cmocka_unit_test(gaps_are_filled_and_nothing_overlaps),
        cmocka_unit_test(months_take_what_days_left_and_days_what_months_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
