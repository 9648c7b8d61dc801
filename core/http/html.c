/*
 * html.c - text and figures as they stand in a page for people
 * SPDX-License-Identifier: MIT
 */
#include "html.h"

#include "../text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#define DASH "\xe2\x80\x93"
#define GAP "\xc2\xa0" /* keeps a number and its unit on one line */
#define MINUTE 60
#define HOUR 3600
#define DAY 86400

static const char *entity(char letter)
{
    switch (letter) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void html_text(FILE *out, const char *text)
{
    const char *end = text + strlen(text);
    char piece[TEXT_ESCAPED_MAX];

    while (text < end) {
        size_t length = text_escape_plain(&text, end, piece);
        const char *instead = length == 1 ? entity(piece[0]) : NULL;
        if (instead)
            (void)fputs(instead, out);
        else
            (void)fwrite(piece, 1, length, out);
    }
}

void html_count(FILE *out, int64_t number)
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRId64, number);

    for (int i = 0; i < length; i++) {
        (void)fputc(digits[i], out);
        int left = length - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-')
            (void)fputc(',', out);
    }
}

void html_rate(FILE *out, double rate)
{
    if (!isfinite(rate))
        (void)fputs(DASH, out);
    else if (rate < 99.95)
        (void)fprintf(out, "%.1f", rate);
    else
        html_count(out, (int64_t)(rate + 0.5));
}

/* Two units, the larger first: 3 h 20 min. */
static void two_units(FILE *out, double seconds, int64_t large, const char *large_name,
                      int64_t small, const char *small_name)
{
    int64_t parts = (int64_t)seconds / small, ratio = large / small;

    html_count(out, parts / ratio);
    (void)fprintf(out, GAP "%s", large_name);
    if (parts % ratio > 0)
        (void)fprintf(out, GAP "%" PRId64 GAP "%s", parts % ratio, small_name);
}

/* Three digits that mean something. */
static void one_unit(FILE *out, double value, const char *name)
{
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    (void)fprintf(out, "%.*f" GAP "%s", decimals, value, name);
}

void html_duration(FILE *out, double seconds)
{
    if (!isfinite(seconds) || seconds >= 1e15)
        (void)fputs(DASH, out);
    else if (seconds <= 0)
        (void)fputs("0" GAP "s", out);
    else if (seconds < 0.9995)
        one_unit(out, seconds * 1000, "ms");
    else if (seconds < MINUTE)
        one_unit(out, seconds, "s");
    else if (seconds < HOUR)
        two_units(out, seconds, MINUTE, "min", 1, "s");
    else if (seconds < DAY)
        two_units(out, seconds, HOUR, "h", MINUTE, "min");
    else
        two_units(out, seconds, DAY, "d", HOUR, "h");
}

void html_age(FILE *out, int64_t nanoseconds)
{
    int64_t seconds = nanoseconds / 1000000000;

    if (seconds < MINUTE)
        (void)fprintf(out, "%" PRId64 GAP "s", seconds > 0 ? seconds : 0);
    else
        html_duration(out, (double)seconds);
}

void html_time(FILE *out, int64_t microseconds)
{
    const time_t seconds = (time_t)(microseconds / 1000000);
    struct tm parts;
    char machine[40], person[40];

    if (!gmtime_r(&seconds, &parts) ||
        strftime(machine, sizeof(machine), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0 ||
        strftime(person, sizeof(person), "%Y-%m-%d %H:%M:%S", &parts) == 0) {
        (void)fputs(DASH, out);
        return;
    }
    (void)fprintf(out, "<time datetime=\"%s\">%s UTC</time>", machine, person);
}
