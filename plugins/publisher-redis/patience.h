/*
 * patience.h - waiting for a descriptor: until a deadline, or until told to stop
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_PATIENCE_H
#define PUBLISHER_REDIS_PATIENCE_H

#include <outbox/types.h>
#include <poll.h>

struct patience {
    const struct outbox_host *host;
    int64_t deadline;
    int stop; /* descriptor that becomes readable when there is no point in waiting; -1: none */
};

static inline int64_t patience_left(const struct patience *patience)
{
    int64_t left = patience->deadline - patience->host->now(patience->host);
    return left > 0 ? left : 0;
}

/* A sooner end, `nanoseconds` from now. */
static inline struct patience patience_within(const struct patience *patience, int64_t nanoseconds)
{
    struct patience less = *patience;
    int64_t end = patience->host->now(patience->host) + nanoseconds;
    if (end < less.deadline)
        less.deadline = end;
    return less;
}

/* Until `events` of the descriptor: 0, ETIMEDOUT, ECANCELED for the stop, or another errno. An
 * error or hang-up counts as an event. */
int patience_wait(const struct patience *patience, int fd, short events) OUTBOX_MUST_USE;

#endif
