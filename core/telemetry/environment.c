/*
 * environment.c - OpenTelemetry's variables, read as its specification wants it
 * SPDX-License-Identifier: MIT
 */
#include "environment.h"

#include "../clock.h"
#include "../units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PROBLEM_TEXT 256

static const char default_remedy[] = "correct it, or write the key in the file; the default is "
                                     "taken";

/* A variable for all signals is read for each. */
static bool is_noted(const struct telemetry_settings *settings, const char *variable,
                     const char *problem)
{
    for (size_t i = 0; i < settings->warning_count; i++)
        if (strcmp(settings->warnings[i].variable, variable) == 0 &&
            strcmp(settings->warnings[i].problem, problem) == 0)
            return true;
    return false;
}

void environment_warn(struct environment *environment, const char *variable, const char *remedy,
                      const char *format, ...)
{
    struct telemetry_settings *settings = environment->settings;
    char problem[PROBLEM_TEXT];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(problem, sizeof(problem), format, arguments);
    va_end(arguments);
    if (settings->warning_count == TELEMETRY_WARNINGS || is_noted(settings, variable, problem))
        return;
    struct telemetry_warning warning = {
        .variable = config_memory_copy(environment->memory, variable, strlen(variable)),
        .problem = config_memory_copy(environment->memory, problem, strlen(problem)),
        .remedy = remedy,
    };
    if (!warning.variable || !warning.problem)
        environment->failed = true;
    else
        settings->warnings[settings->warning_count++] = warning;
}

const char *environment_text(const char *variable)
{
    const char *text = getenv(variable);
    return text && *text ? text : NULL;
}

/* ---- Numbers and words -------------------------------------------------------------------- */

/* Digits alone, and not too many. */
static bool parse_count(const char *text, uint64_t *value)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || text[digits] != '\0')
        return false;
    errno = 0;
    *value = strtoull(text, NULL, 10);
    return errno == 0;
}

void environment_count(struct environment *environment, const char *variable, uint64_t least,
                       uint64_t most, uint64_t *value)
{
    const char *text = environment_text(variable);
    uint64_t found = 0;

    if (!text)
        return;
    if (parse_count(text, &found) && found >= least && found <= most)
        *value = found;
    else
        environment_warn(environment, variable, default_remedy,
                         "found \"%.64s\", allowed is a whole number from %" PRIu64 " to %" PRIu64,
                         text, least, most);
}

void environment_milliseconds(struct environment *environment, const char *variable, int64_t least,
                              int64_t most, int64_t *nanoseconds)
{
    uint64_t found = (uint64_t)(*nanoseconds / MILLISECOND);

    environment_count(environment, variable, (uint64_t)(least / MILLISECOND),
                      (uint64_t)(most / MILLISECOND), &found);
    *nanoseconds = (int64_t)found * MILLISECOND;
}

void environment_ratio(struct environment *environment, const char *variable, double *value)
{
    const char *text = environment_text(variable);
    char *end;

    if (!text)
        return;
    double found = strtod(text, &end);
    if (end != text && *end == '\0' && found >= 0 && found <= 1)
        *value = found;
    else
        environment_warn(environment, variable, default_remedy,
                         "found \"%.64s\", allowed is a number from 0 to 1", text);
}

size_t environment_choice(struct environment *environment, const char *variable,
                          const char *const *words, size_t index)
{
    const char *text = environment_text(variable);
    char allowed[PROBLEM_TEXT / 2] = "";
    size_t length = 0;

    if (!text)
        return index;
    for (size_t i = 0; words[i]; i++) {
        if (strcasecmp(words[i], text) == 0)
            return i;
        if (length < sizeof(allowed))
            length += (size_t)snprintf(allowed + length, sizeof(allowed) - length, "%s%s",
                                       i ? ", " : "", words[i]);
    }
    environment_warn(environment, variable, default_remedy, "found \"%.64s\", allowed is one of %s",
                     text, allowed);
    return index;
}

/* ---- Pairs -------------------------------------------------------------------------------- */

static int hex_digit(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    int lower = tolower((unsigned char)letter);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static void trim(const char **text, size_t *length)
{
    while (*length > 0 && isspace((unsigned char)**text)) {
        ++*text;
        --*length;
    }
    while (*length > 0 && isspace((unsigned char)(*text)[*length - 1]))
        --*length;
}

/* In place; false if a % is not followed by two digits, or stands for the end of a text. */
static bool decode(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex_digit(from[1]), low = high < 0 ? -1 : hex_digit(from[2]);
        if (low < 0 || high * 16 + low == 0)
            return false;
        *to++ = (char)(high * 16 + low);
        from += 2;
    }
    *to = '\0';
    return true;
}

static bool keep(struct environment *environment, const char *text, size_t length,
                 struct outbox_slice *slice)
{
    trim(&text, &length);
    char *copy = config_memory_copy(environment->memory, text, length);
    if (!copy)
        environment->failed = true;
    else if (!decode(copy))
        return false;
    *slice = outbox_slice_of(copy);
    return true;
}

static bool keep_pair(struct environment *environment, const char *text, size_t length,
                      struct outbox_pair *pair)
{
    const char *equals = memchr(text, '=', length);

    if (!equals || !keep(environment, text, (size_t)(equals - text), &pair->name) ||
        !keep(environment, equals + 1, length - (size_t)(equals + 1 - text), &pair->value))
        return false;
    return pair->name.len > 0;
}

const struct outbox_pair *environment_pairs(struct environment *environment, const char *variable,
                                            uint64_t *count)
{
    const char *text = environment_text(variable);
    size_t most = 1;

    *count = 0;
    if (!text)
        return NULL;
    for (const char *at = text; *at; at++)
        most += *at == ',';
    struct outbox_pair *pairs = config_memory_take(environment->memory, most, sizeof(*pairs));
    if (!pairs) {
        environment->failed = true;
        return NULL;
    }
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, ",");
        if (strspn(at, " \t") < length) {
            if (!keep_pair(environment, at, length, &pairs[*count])) {
                environment_warn(environment, variable, "correct it; it is left out altogether",
                                 "element %" PRIu64 " is not of the form name=value with "
                                 "percent-encoded values",
                                 *count + 1);
                *count = 0;
                return NULL;
            }
            ++*count;
        }
        at += length + (at[length] == ',');
    }
    return pairs;
}
