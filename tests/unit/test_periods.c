/*
 * test_periods.c - days and months that partitions are cut by, against the C library's calendar
 * SPDX-License-Identifier: MIT
 */
#include "periods.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define MICROSECONDS INT64_C(1000000)
#define DAY (86400 * MICROSECONDS)

static int64_t at(int year, int month, int day, int hour)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour};
    return (int64_t)timegm(&tm) * MICROSECONDS;
}

static void assert_name(enum outbox_partition_period period, int64_t instant, const char *expected)
{
    char name[PERIOD_NAME];
    period_name(period, instant, name);
    assert_string_equal(name, expected);
}

static void a_day_begins_at_midnight_and_ends_before_the_next(void **state)
{
    (void)state;
    int64_t noon = at(2024, 2, 29, 12);
    assert_int_equal(period_start(OUTBOX_PERIOD_DAY, noon), at(2024, 2, 29, 0));
    assert_int_equal(period_next(OUTBOX_PERIOD_DAY, noon), at(2024, 3, 1, 0));
    assert_int_equal(period_start(OUTBOX_PERIOD_DAY, at(2024, 2, 29, 0)), at(2024, 2, 29, 0));
    assert_int_equal(period_start(OUTBOX_PERIOD_DAY, at(2024, 3, 1, 0) - 1), at(2024, 2, 29, 0));
    assert_name(OUTBOX_PERIOD_DAY, noon, "p20240229");
}

static void months_have_their_own_lengths_also_in_leap_years(void **state)
{
    (void)state;
    assert_int_equal(period_next(OUTBOX_PERIOD_MONTH, at(2023, 2, 28, 23)), at(2023, 3, 1, 0));
    assert_int_equal(period_next(OUTBOX_PERIOD_MONTH, at(2024, 2, 29, 23)), at(2024, 3, 1, 0));
    assert_int_equal(period_start(OUTBOX_PERIOD_MONTH, at(2024, 2, 29, 23)), at(2024, 2, 1, 0));
    assert_int_equal(period_start(OUTBOX_PERIOD_MONTH, at(2025, 1, 31, 23)), at(2025, 1, 1, 0));
    assert_int_equal(period_next(OUTBOX_PERIOD_MONTH, at(2024, 12, 31, 23)), at(2025, 1, 1, 0));
    assert_name(OUTBOX_PERIOD_MONTH, at(2024, 12, 31, 23), "p202412");
}

static void what_lies_before_1970_is_cut_the_same_way(void **state)
{
    (void)state;
    assert_int_equal(period_start(OUTBOX_PERIOD_DAY, -1), -DAY);
    assert_int_equal(period_next(OUTBOX_PERIOD_DAY, -1), 0);
    assert_int_equal(period_start(OUTBOX_PERIOD_MONTH, -1), at(1969, 12, 1, 0));
    assert_name(OUTBOX_PERIOD_DAY, at(1900, 2, 28, 1), "p19000228");
    assert_int_equal(period_next(OUTBOX_PERIOD_MONTH, at(1900, 2, 28, 1)), at(1900, 3, 1, 0));
}

/* Each day of eight centuries, which holds every kind of leap year. */
static void every_day_is_named_as_the_c_library_names_it(void **state)
{
    (void)state;
    char day[PERIOD_NAME], month[PERIOD_NAME];
    for (int64_t start = at(1600, 1, 1, 0); start < at(2400, 1, 1, 0); start += DAY) {
        time_t seconds = (time_t)(start / MICROSECONDS);
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_true(strftime(day, sizeof day, "p%Y%m%d", &tm) > 0);
        assert_true(strftime(month, sizeof month, "p%Y%m", &tm) > 0);
        assert_name(OUTBOX_PERIOD_DAY, start + DAY - 1, day);
        assert_name(OUTBOX_PERIOD_MONTH, start, month);
        assert_int_equal(period_start(OUTBOX_PERIOD_DAY, start), start);
    }
}

static void each_month_ends_where_the_next_one_begins(void **state)
{
    (void)state;
    int64_t start = at(1600, 1, 1, 0);
    for (int month = 0; month < 800 * 12; month++) {
        assert_int_equal(start, at(1600 + month / 12, 1 + month % 12, 1, 0));
        int64_t next = period_next(OUTBOX_PERIOD_MONTH, start);
        assert_int_equal(period_start(OUTBOX_PERIOD_MONTH, next - 1), start);
        assert_int_equal(period_next(OUTBOX_PERIOD_MONTH, next - 1), next);
        start = next;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_begins_at_midnight_and_ends_before_the_next),
        cmocka_unit_test(months_have_their_own_lengths_also_in_leap_years),
        cmocka_unit_test(what_lies_before_1970_is_cut_the_same_way),
        cmocka_unit_test(every_day_is_named_as_the_c_library_names_it),
        cmocka_unit_test(each_month_ends_where_the_next_one_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
