/*
 * turn.h - one thread at a time, and no thread waits longer than it may
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_TURN_H
#define PLUGINS_COMMON_TURN_H

#include <outbox/types.h>
#include <pthread.h>
#include <stdbool.h>

struct turn {
    pthread_mutex_t mutex;
    pthread_cond_t given_back;
    bool taken;
};

bool turn_init(struct turn *turn) OUTBOX_MUST_USE;
void turn_clear(struct turn *turn);

/* Waits for the turn until `deadline` of the host's clock; false if it did not come. */
bool turn_take(struct turn *turn, const struct outbox_host *host, int64_t deadline) OUTBOX_MUST_USE;
void turn_give_back(struct turn *turn);

/* A condition variable whose waits end by the monotonic clock, and a wait on it for `nanoseconds`
 * at the longest. Like any wait it may end early: look at what was waited for. */
bool condition_init(pthread_cond_t *condition) OUTBOX_MUST_USE;
void condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t nanoseconds);

#endif
