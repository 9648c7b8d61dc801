/*
 * backoff.h - growing, jittered waits
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_BACKOFF_H
#define CORE_BACKOFF_H

#include <stdint.h>

/* Not for secrets. One thread each. */
struct random {
    uint64_t state;
};
void random_init(struct random *random);
uint64_t random_next(struct random *random);
double random_fraction(struct random *random); /* [0, 1) */

struct backoff {
    int64_t base, max, next; /* nanoseconds */
    struct random random;
};
void backoff_init(struct backoff *backoff, int64_t base, int64_t max);
int64_t backoff_delay(struct backoff *backoff); /* doubles, 0.5 to 1 times the current step */
void backoff_reset(struct backoff *backoff);

#endif
