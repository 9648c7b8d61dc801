/*
 * turn.c - one after another, though nobody waits for long
 * SPDX-License-Identifier: MIT
 */
#include "turn.h"

#include <time.h>

/* Longer than a claim takes where all is well. */
#define PATIENCE_NS 50000000L

void turn_init(struct turn *turn)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    turn->taken = false;
    (void)pthread_mutex_init(&turn->mutex, NULL);
    (void)pthread_cond_init(&turn->over, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

void turn_clear(struct turn *turn)
{
    (void)pthread_cond_destroy(&turn->over);
    (void)pthread_mutex_destroy(&turn->mutex);
}

static struct timespec deadline(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += PATIENCE_NS;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_nsec -= 1000000000L;
        at.tv_sec++;
    }
    return at;
}

bool turn_take(struct turn *turn)
{
    struct timespec until = deadline();
    (void)pthread_mutex_lock(&turn->mutex);
    while (turn->taken && pthread_cond_timedwait(&turn->over, &turn->mutex, &until) == 0)
        ;
    bool is_ours = !turn->taken;
    turn->taken = true;
    (void)pthread_mutex_unlock(&turn->mutex);
    return is_ours;
}

void turn_give(struct turn *turn)
{
    (void)pthread_mutex_lock(&turn->mutex);
    turn->taken = false;
    (void)pthread_cond_signal(&turn->over);
    (void)pthread_mutex_unlock(&turn->mutex);
}
