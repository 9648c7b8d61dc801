/*
 * turn.c - one thread at a time, and no thread waits longer than it may
 * SPDX-License-Identifier: MIT
 */
#include "turn.h"

#include <time.h>

#define NANOSECONDS INT64_C(1000000000)

bool condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(condition, &attributes) == 0;
    (void)pthread_condattr_destroy(&attributes);
    return made;
}

void condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t nanoseconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(nanoseconds / NANOSECONDS);
    until.tv_nsec += (long)(nanoseconds % NANOSECONDS);
    if (until.tv_nsec >= NANOSECONDS) {
        until.tv_nsec -= NANOSECONDS;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(condition, mutex, &until);
}

bool turn_init(struct turn *turn)
{
    turn->taken = false;
    if (pthread_mutex_init(&turn->mutex, NULL) != 0)
        return false;
    if (condition_init(&turn->given_back))
        return true;
    (void)pthread_mutex_destroy(&turn->mutex);
    return false;
}

void turn_clear(struct turn *turn)
{
    (void)pthread_cond_destroy(&turn->given_back);
    (void)pthread_mutex_destroy(&turn->mutex);
}

bool turn_take(struct turn *turn, const struct outbox_host *host, int64_t deadline)
{
    (void)pthread_mutex_lock(&turn->mutex);
    while (turn->taken) {
        int64_t left = deadline - host->now(host);
        if (left <= 0)
            break;
        condition_wait(&turn->given_back, &turn->mutex, left);
    }
    bool won = !turn->taken;
    if (won)
        turn->taken = true;
    (void)pthread_mutex_unlock(&turn->mutex);
    return won;
}

void turn_give_back(struct turn *turn)
{
    (void)pthread_mutex_lock(&turn->mutex);
    turn->taken = false;
    (void)pthread_cond_signal(&turn->given_back);
    (void)pthread_mutex_unlock(&turn->mutex);
}
