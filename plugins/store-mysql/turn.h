/*
 * turn.h - one after another, though nobody waits for long
 * SPDX-License-Identifier: MIT
 *
 * Two workers that look for candidates at the same time find the same ones, and the second one has
 * to read on behind what the first one took. It waits instead until that has come to its end, which
 * both take from then on without meeting again.
 */
#ifndef STORE_MYSQL_TURN_H
#define STORE_MYSQL_TURN_H

#include <pthread.h>
#include <stdbool.h>

struct turn {
    pthread_mutex_t mutex;
    pthread_cond_t over;
    bool taken;
};

void turn_init(struct turn *turn);
void turn_clear(struct turn *turn);

/* False if it was not to be had in time: whoever has it may be stuck. Then it is not given back. */
bool turn_take(struct turn *turn) __attribute__((warn_unused_result));
void turn_give(struct turn *turn);

#endif
