/*
 * instant.h - points in time as the table writes them: 'YYYY-MM-DD HH:MM:SS.SSS', UTC
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_INSTANT_H
#define STORE_SQLITE_INSTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INSTANT_LEN = 23 };

/* Ends in NUL. */
struct instant {
    char text[INSTANT_LEN + 1];
};

/* Rounds up to the next millisecond, so that nothing becomes due too early, and stays within the
 * years 0000 to 9999, beyond which text no longer sorts as time does. */
struct instant instant_of(int64_t microseconds);

/* Microseconds since 1970. Also takes the shorter and longer forms that SQLite's own functions
 * write (no fraction, no time, a 'T', a trailing 'Z'); false for anything else. */
bool instant_parse(const char *text, size_t len, int64_t *microseconds)
    __attribute__((warn_unused_result));

/* a + b, kept within what an instant can be. */
int64_t instant_add(int64_t microseconds, int64_t delay);

#endif
