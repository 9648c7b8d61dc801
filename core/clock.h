/*
 * clock.h - the relay's clocks: the monotonic one that it goes by, and the one on the wall
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define MICROSECOND ((int64_t)1000)
#define MILLISECOND ((int64_t)1000000)
#define SECOND ((int64_t)1000000000)
#define NEVER INT64_MAX

static inline int64_t clock_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

/* Nanoseconds since 1970, for those who read what the relay writes: nothing is decided by it. */
static inline int64_t clock_wall(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

#endif
