/*
 * timestamp.c - instants as people and producers write them
 * SPDX-License-Identifier: MIT
 */
#include "timestamp.h"

#include "clock.h"
#include "units.h"

#include <string.h>
#include <time.h>

#define MICROSECONDS_A_SECOND ((int64_t)1000000)
#define LAST_SECOND ((int64_t)253402300799) /* of the year 9999 */

/* Reads exactly `digits` digits at *text and moves past them. */
static bool take_number(const char **text, int digits, int lowest, int highest, int *number)
{
    int value = 0;
    for (int i = 0; i < digits; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        value = value * 10 + (**text - '0');
    }
    *number = value;
    return value >= lowest && value <= highest;
}

static bool take(const char **text, const char *any_of)
{
    if (**text == '\0' || !strchr(any_of, **text))
        return false;
    (*text)++;
    return true;
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(const char **text, struct tm *time)
{
    int year, month, day;
    if (!take_number(text, 4, 1970, 9999, &year) || !take(text, "-") ||
        !take_number(text, 2, 1, 12, &month) || !take(text, "-") ||
        !take_number(text, 2, 1, days_of_month(year, month), &day))
        return false;
    time->tm_year = year - 1900;
    time->tm_mon = month - 1;
    time->tm_mday = day;
    return true;
}

/* A leap second is taken for the first second after it. */
static bool take_time(const char **text, struct tm *time, int64_t *fraction)
{
    int64_t unit = MICROSECONDS_A_SECOND;

    *fraction = 0;
    if (!take_number(text, 2, 0, 23, &time->tm_hour) || !take(text, ":") ||
        !take_number(text, 2, 0, 59, &time->tm_min) || !take(text, ":") ||
        !take_number(text, 2, 0, 60, &time->tm_sec))
        return false;
    if (!take(text, "."))
        return true;
    if (**text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        unit /= 10;
        *fraction += unit * (**text - '0');
    }
    return true;
}

/* Seconds that the written time is ahead of UTC. */
static bool take_offset(const char **text, int64_t *offset)
{
    int hours, minutes;

    *offset = 0;
    if (take(text, "Zz"))
        return true;
    bool behind = **text == '-';
    if (!take(text, "+-") || !take_number(text, 2, 0, 23, &hours) || !take(text, ":") ||
        !take_number(text, 2, 0, 59, &minutes))
        return false;
    *offset = ((int64_t)hours * 60 + minutes) * (behind ? -60 : 60);
    return true;
}

static bool parse_relative(const char *duration, int64_t *microseconds)
{
    struct timespec now;
    int64_t nanoseconds;

    if (!duration_parse(duration, &nanoseconds))
        return false;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t sum = (int64_t)now.tv_sec * MICROSECONDS_A_SECOND + now.tv_nsec / MICROSECOND +
                  nanoseconds / MICROSECOND;
    if (sum / MICROSECONDS_A_SECOND > LAST_SECOND)
        return false;
    *microseconds = sum;
    return true;
}

bool timestamp_parse(const char *text, int64_t *microseconds)
{
    struct tm time = {0};
    int64_t fraction, offset;

    if (*text == '+')
        return parse_relative(text + 1, microseconds);
    if (!take_date(&text, &time) || !take(&text, "Tt ") || !take_time(&text, &time, &fraction) ||
        !take_offset(&text, &offset) || *text != '\0')
        return false;

    int64_t seconds = (int64_t)timegm(&time) - offset;
    if (seconds < 0 || seconds > LAST_SECOND)
        return false;
    *microseconds = seconds * MICROSECONDS_A_SECOND + fraction;
    return true;
}
