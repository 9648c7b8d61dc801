/*
 * janitor.h - maintains the table while the relay runs
 * SPDX-License-Identifier: MIT
 *
 * A thread of its own with a session of its own, for maintenance takes its time and leases must not
 * wait for it. Of all relays on a table one does it: whose session the store made the maintainer
 * stays it, and the others ask again every so often, in case it is gone.
 */
#ifndef CORE_JANITOR_H
#define CORE_JANITOR_H

#include "bell.h"
#include "seat.h"

#include <outbox/plugin.h>
#include <pthread.h>
#include <stdbool.h>

struct pipeline;

struct janitor {
    struct pipeline *pipeline;
    pthread_t thread; /* 0: not started */
    struct bell bell;
    struct seat seat;
};

/* Both are false if the process is out of resources. */
bool janitor_init(struct janitor *janitor, struct pipeline *pipeline)
    __attribute__((warn_unused_result));
bool janitor_start(struct janitor *janitor) __attribute__((warn_unused_result));

/* Any thread: looks at what has changed, the phase or the tunables. */
void janitor_kick(struct janitor *janitor);

/* Any thread: ends the store call that it may be in. */
void janitor_interrupt(struct janitor *janitor);

/* Waits for the thread, which ends when the pipeline stops. Harmless if it was not started. */
void janitor_join(struct janitor *janitor);
void janitor_clear(struct janitor *janitor);

#endif
