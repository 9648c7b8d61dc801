/*
 * instant.c - points in time as the table writes them: 'YYYY-MM-DD HH:MM:SS.SSS', UTC
 * SPDX-License-Identifier: MIT
 */
#include "instant.h"

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define FIRST (-719528 * DAY)         /* 0000-01-01 */
#define LAST (2932897 * DAY - SECOND) /* 9999-12-31 23:59:59 */

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, counted in years that begin
 * in March so that the leap day comes last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t march_year = month > 2 ? year : year - 1;
    int64_t shifted = march_year + 400; /* years 0000 and later only: keeps divisions positive */
    int64_t month_from_march = (month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year - 719468 -
           146097;
}

static void date_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    int64_t shifted = days + 719468 + 146097;
    int64_t era = shifted / 146097;
    int64_t day_of_era = shifted % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *year = year_of_era + (era - 1) * 400 + (*month <= 2 ? 1 : 0);
}

static void put_digits(char *text, int width, int64_t value)
{
    for (int i = width - 1; i >= 0; i--) {
        text[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

struct instant instant_of(int64_t microseconds)
{
    int64_t clamped = microseconds < FIRST ? FIRST : microseconds > LAST ? LAST : microseconds;
    int64_t milliseconds = (clamped - FIRST + 999) / 1000;
    int64_t of_day = milliseconds % 86400000;
    int64_t year, month, day;
    date_of(milliseconds / 86400000 + FIRST / DAY, &year, &month, &day);
    struct instant instant = {"0000-00-00 00:00:00.000"};
    put_digits(instant.text, 4, year);
    put_digits(instant.text + 5, 2, month);
    put_digits(instant.text + 8, 2, day);
    put_digits(instant.text + 11, 2, of_day / 3600000);
    put_digits(instant.text + 14, 2, of_day / 60000 % 60);
    put_digits(instant.text + 17, 2, of_day / 1000 % 60);
    put_digits(instant.text + 20, 3, of_day % 1000);
    return instant;
}

static bool take_digits(const char **at, const char *end, int width, int64_t *value)
{
    if (end - *at < width)
        return false;
    *value = 0;
    for (int i = 0; i < width; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

static bool take_char(const char **at, const char *end, char first, char second)
{
    if (*at == end || (**at != first && **at != second))
        return false;
    (*at)++;
    return true;
}

static int64_t take_fraction(const char **at, const char *end)
{
    int64_t fraction = 0, unit = SECOND / 10;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
        fraction += (**at - '0') * unit;
    return fraction;
}

bool instant_parse(const char *text, size_t len, int64_t *microseconds)
{
    const char *at = text, *end = text + len;
    int64_t year, month, day, hour = 0, minute = 0, second = 0, fraction = 0;
    if (!take_digits(&at, end, 4, &year) || !take_char(&at, end, '-', '-') ||
        !take_digits(&at, end, 2, &month) || !take_char(&at, end, '-', '-') ||
        !take_digits(&at, end, 2, &day))
        return false;
    if (take_char(&at, end, ' ', 'T')) {
        if (!take_digits(&at, end, 2, &hour) || !take_char(&at, end, ':', ':') ||
            !take_digits(&at, end, 2, &minute))
            return false;
        if (take_char(&at, end, ':', ':') && !take_digits(&at, end, 2, &second))
            return false;
        if (take_char(&at, end, '.', '.'))
            fraction = take_fraction(&at, end);
    }
    (void)take_char(&at, end, 'Z', 'Z'); /* optional */
    if (at != end || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    *microseconds =
        days_of(year, month, day) * DAY + ((hour * 60 + minute) * 60 + second) * SECOND + fraction;
    return true;
}

int64_t instant_add(int64_t microseconds, int64_t delay)
{
    int64_t sum;
    if (__builtin_add_overflow(microseconds, delay, &sum))
        return delay < 0 ? FIRST : LAST;
    return sum < FIRST ? FIRST : sum > LAST ? LAST : sum;
}
