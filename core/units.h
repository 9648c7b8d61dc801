/*
 * units.h - durations and sizes as people write them
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_UNITS_H
#define CORE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest text that a format function makes, its NUL included. */
#define UNITS_TEXT 32

/* "5ms" "1s" "3m" "24h" "7d", also "us" and "ns": a whole number and a unit, nothing between or
 * around. False if it is anything else or does not fit; the output is then untouched. */
bool duration_parse(const char *text, int64_t *nanoseconds) __attribute__((warn_unused_result));

/* "512KiB" "1MiB" "2GiB" "1TiB", "64B" or plain bytes "65536". As duration_parse(). */
bool size_parse(const char *text, int64_t *bytes) __attribute__((warn_unused_result));

/* Writes the exact value with the largest unit that needs no fraction (days only from two on, so
 * that a day reads "24h"). Reading it back gives the value. Returns `text`. Values are never
 * negative. */
const char *duration_format(int64_t nanoseconds, char text[UNITS_TEXT]);
const char *size_format(int64_t bytes, char text[UNITS_TEXT]);

#endif
