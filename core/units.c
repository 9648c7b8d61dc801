/*
 * units.c - durations and sizes as people write them
 * SPDX-License-Identifier: MIT
 */
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
    int64_t format_from; /* the smallest value that is written in this unit */
};

#define SECOND INT64_C(1000000000)
#define KIB INT64_C(1024)

/* Largest first: format takes the first that divides the value. */
static const struct unit duration_units[] = {
    {"d", 86400 * SECOND, 2 * 86400 * SECOND},
    {"h", 3600 * SECOND, 3600 * SECOND},
    {"m", 60 * SECOND, 60 * SECOND},
    {"s", SECOND, 0},
    {"ms", 1000000, 0},
    {"us", 1000, 0},
    {"ns", 1, 0},
};

static const struct unit size_units[] = {
    {"TiB", KIB *KIB *KIB *KIB, KIB *KIB *KIB *KIB},
    {"GiB", KIB *KIB *KIB, KIB *KIB *KIB},
    {"MiB", KIB *KIB, KIB *KIB},
    {"KiB", KIB, KIB},
    {"B", 1, 0},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Reads the digits that `text` begins with. Returns what follows them, NULL if there are none or
 * too many. */
static const char *number_parse(const char *text, int64_t *number)
{
    const char *at = text;
    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(*number, INT64_C(10), number) ||
            __builtin_add_overflow(*number, (int64_t)(*at - '0'), number))
            return NULL;
    }
    return at == text ? NULL : at;
}

static bool parse(const char *text, const struct unit *units, size_t count, int64_t *value)
{
    int64_t number;
    const char *name = number_parse(text, &number);
    if (!name)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(units[i].name, name) != 0)
            continue;
        if (__builtin_mul_overflow(number, units[i].factor, &number))
            return false;
        *value = number;
        return true;
    }
    return false;
}

static const char *format(int64_t value, const struct unit *units, size_t count,
                          char text[UNITS_TEXT])
{
    size_t i = 0;
    while (i + 1 < count && (value < units[i].format_from || value % units[i].factor != 0))
        i++;
    (void)snprintf(text, UNITS_TEXT, "%" PRId64 "%s", value / units[i].factor, units[i].name);
    return text;
}

bool duration_parse(const char *text, int64_t *nanoseconds)
{
    return parse(text, duration_units, COUNT(duration_units), nanoseconds);
}

bool size_parse(const char *text, int64_t *bytes)
{
    int64_t number;
    const char *rest = number_parse(text, &number);
    if (rest && *rest == '\0') {
        *bytes = number;
        return true;
    }
    return parse(text, size_units, COUNT(size_units), bytes);
}

const char *duration_format(int64_t nanoseconds, char text[UNITS_TEXT])
{
    return format(nanoseconds, duration_units, COUNT(duration_units), text);
}

const char *size_format(int64_t bytes, char text[UNITS_TEXT])
{
    return format(bytes, size_units, COUNT(size_units), text);
}
