/*
 * periods.h - days and months of the calendar, in UTC, which partitions are cut by
 * SPDX-License-Identifier: MIT
 *
 * Instants are microseconds since 1970, of the years 1 to 9999.
 */
#ifndef PLUGINS_COMMON_PERIODS_H
#define PLUGINS_COMMON_PERIODS_H

#include <outbox/store.h>

enum { PERIOD_NAME = 16 }; /* bytes that a name takes at most, its NUL included */

/* When the period that `instant` lies in begins, and when the one after it does. */
int64_t period_start(enum outbox_partition_period period, int64_t instant) OUTBOX_MUST_USE;
int64_t period_next(enum outbox_partition_period period, int64_t instant) OUTBOX_MUST_USE;

/* pYYYYMMDD of a day, pYYYYMM of a month. */
void period_name(enum outbox_partition_period period, int64_t instant, char name[PERIOD_NAME]);

#endif
