/*
 * instant.c - the server's dates and microseconds since 1970
 * SPDX-License-Identifier: MIT
 *
 * A session has the time zone UTC, so that a date as it travels is the instant that it means. Only
 * for a table whose dates have no zone it keeps the server's, in which producers write: then what
 * comes out here is good for comparing alone.
 */
#include "driver.h"

#define DAY INT64_C(86400)
#define MICROSECONDS INT64_C(1000000)

/* Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that
 * the leap day is the last of its year. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_of(int64_t days, MYSQL_TIME *time)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    time->day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1);
    time->month = (unsigned)(month < 10 ? month + 3 : month - 9);
    time->year = (unsigned)(year_of_era + era * 400 + (time->month <= 2));
}

int64_t instant_of(const MYSQL_TIME *time)
{
    if (time->year == 0)
        return INT64_MIN;
    int64_t seconds = days_of(time->year, time->month, time->day) * DAY + time->hour * 3600 +
                      time->minute * 60 + time->second;
    return seconds * MICROSECONDS + (int64_t)time->second_part;
}

MYSQL_TIME instant_to(int64_t instant)
{
    MYSQL_TIME time = {.time_type = MYSQL_TIMESTAMP_DATETIME};
    const int64_t first = days_of(1000, 1, 1) * DAY * MICROSECONDS;
    const int64_t last = days_of(9999, 12, 31) * DAY * MICROSECONDS;
    if (instant == INT64_MIN)
        return time; /* "no date", which a column can hold */
    int64_t held = instant < first ? first : instant > last ? last : instant;
    int64_t seconds = held / MICROSECONDS, rest = held % MICROSECONDS;
    if (rest < 0) {
        rest += MICROSECONDS;
        seconds--;
    }
    int64_t days = seconds / DAY, left = seconds % DAY;
    if (left < 0) {
        left += DAY;
        days--;
    }
    date_of(days, &time);
    time.hour = (unsigned)(left / 3600);
    time.minute = (unsigned)(left / 60 % 60);
    time.second = (unsigned)(left % 60);
    time.second_part = (unsigned long)rest;
    return time;
}
