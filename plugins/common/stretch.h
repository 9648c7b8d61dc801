/*
 * stretch.h - stretches of time: what partitions cover, and what they leave out
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_STRETCH_H
#define PLUGINS_COMMON_STRETCH_H

#include "periods.h"

#include <stdbool.h>

/* Microseconds since 1970, `until` excluded; INT64_MIN and INT64_MAX where it has no bound. */
struct stretch {
    int64_t from, until;
};

/* The first stretch from `at` on that begins before `end` and that none of those taken covers: a
 * period, or what is left of one. The taken ones are in order and do not overlap. False: there is
 * none. */
bool stretch_missing(const struct stretch *taken, size_t count, enum outbox_partition_period period,
                     int64_t at, int64_t end, struct stretch *missing) OUTBOX_MUST_USE;

/* What a partition for it is called: as its period, or as the day when it begins if it is only the
 * rest of one. */
void stretch_name(enum outbox_partition_period period, struct stretch stretch,
                  char name[PERIOD_NAME]);

/* The same by the minute when it begins, pYYYYMMDD_HHMM, where the day's name is taken: somebody
 * cut by the days of another time zone. */
void stretch_name_by_time(struct stretch stretch, char name[PERIOD_NAME]);

#endif
