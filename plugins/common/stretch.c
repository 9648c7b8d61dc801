/*
 * stretch.c - stretches of time: what partitions cover, and what they leave out
 * SPDX-License-Identifier: MIT
 */
#include "stretch.h"

#include <string.h>

#define MINUTE INT64_C(60000000)

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool stretch_missing(const struct stretch *taken, size_t count, enum outbox_partition_period period,
                     int64_t at, int64_t end, struct stretch *missing)
{
    int64_t before = INT64_MIN, after = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (taken[i].from > at) {
            after = taken[i].from;
            break;
        }
        before = taken[i].until;
        at = later(at, before);
    }
    if (at >= end)
        return false;
    missing->from = later(period_start(period, at), before);
    missing->until = sooner(period_next(period, at), after);
    return true;
}

void stretch_name(enum outbox_partition_period period, struct stretch stretch,
                  char name[PERIOD_NAME])
{
    bool begins = period_start(period, stretch.from) == stretch.from;
    period_name(begins ? period : OUTBOX_PERIOD_DAY, stretch.from, name);
}

void stretch_name_by_time(struct stretch stretch, char name[PERIOD_NAME])
{
    int64_t day = period_start(OUTBOX_PERIOD_DAY, stretch.from);
    int minutes = (int)((stretch.from - day) / MINUTE);
    period_name(OUTBOX_PERIOD_DAY, stretch.from, name);
    size_t len = strlen(name);
    if (minutes > 0)
        (void)snprintf(name + len, PERIOD_NAME - len, "_%02d%02d", minutes / 60 % 24, minutes % 60);
}
