/*
 * periods.c - days and months of the calendar, in UTC, which partitions are cut by
 * SPDX-License-Identifier: MIT
 */
#include "periods.h"

#define DAY INT64_C(86400000000)
#define DAYS_OF_400_YEARS 146097
#define DAYS_FROM_0000_03_01_TO_1970 719468

struct date {
    int64_t year;
    int month, day; /* from 1 */
};

static int64_t floor_divide(int64_t number, int64_t by)
{
    return number / by - (number % by < 0);
}

/* Years are counted from March here, which puts the leap day last, and months then begin at
 * (153 * month + 2) / 5 days. */
static struct date date_of(int64_t instant)
{
    int64_t days = floor_divide(instant, DAY) + DAYS_FROM_0000_03_01_TO_1970;
    int64_t era = floor_divide(days, DAYS_OF_400_YEARS);
    int64_t in_era = days - era * DAYS_OF_400_YEARS;
    int64_t year =
        (in_era - in_era / 1460 + in_era / 36524 - in_era / (DAYS_OF_400_YEARS - 1)) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int month = (int)((5 * in_year + 2) / 153);
    struct date date = {.year = year + era * 400 + (month >= 10),
                        .month = month < 10 ? month + 3 : month - 9,
                        .day = (int)in_year - (153 * month + 2) / 5 + 1};
    return date;
}

static int64_t month_start(int64_t year, int month)
{
    int64_t from_march = month > 2 ? year : year - 1;
    int64_t era = floor_divide(from_march, 400);
    int64_t in_era = from_march - era * 400;
    int64_t in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;
    int64_t days = era * DAYS_OF_400_YEARS + in_era * 365 + in_era / 4 - in_era / 100 + in_year;
    return (days - DAYS_FROM_0000_03_01_TO_1970) * DAY;
}

int64_t period_start(enum outbox_partition_period period, int64_t instant)
{
    if (period == OUTBOX_PERIOD_DAY)
        return floor_divide(instant, DAY) * DAY;
    struct date date = date_of(instant);
    return month_start(date.year, date.month);
}

int64_t period_next(enum outbox_partition_period period, int64_t instant)
{
    if (period == OUTBOX_PERIOD_DAY)
        return period_start(period, instant) + DAY;
    struct date date = date_of(instant);
    return date.month == 12 ? month_start(date.year + 1, 1)
                            : month_start(date.year, date.month + 1);
}

void period_name(enum outbox_partition_period period, int64_t instant, char name[PERIOD_NAME])
{
    struct date date = date_of(instant);
    if (period == OUTBOX_PERIOD_DAY)
        (void)snprintf(name, PERIOD_NAME, "p%04d%02d%02d", (int)(date.year % 10000), date.month,
                       date.day);
    else
        (void)snprintf(name, PERIOD_NAME, "p%04d%02d", (int)(date.year % 10000), date.month);
}
