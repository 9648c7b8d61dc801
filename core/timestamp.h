/*
 * timestamp.h - instants as people and producers write them
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TIMESTAMP_H
#define CORE_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

/* Reads RFC 3339 ("2026-01-31T12:00:00.5+01:00"; a space may stand for the T) or "+DURATION", which
 * counts from this machine's clock. Microseconds since 1970-01-01 UTC; finer fractions are cut off.
 * False for anything else, and for instants before 1970 or after the year 9999; the output is then
 * untouched. */
bool timestamp_parse(const char *text, int64_t *microseconds) __attribute__((warn_unused_result));

/* What timestamp_parse() takes, for an error message. */
#define TIMESTAMP_FORMS "\"2026-01-31T12:00:00Z\" (RFC 3339) or \"+5m\" (from now)"

#endif
