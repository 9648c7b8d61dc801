/*
 * backoff.c - growing, jittered waits
 * SPDX-License-Identifier: MIT
 */
#include "backoff.h"

#include "clock.h"

#include <sys/random.h>

void random_init(struct random *random)
{
    if (getrandom(&random->state, sizeof(random->state), 0) != (long)sizeof(random->state))
        random->state = (uint64_t)clock_now();
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double random_fraction(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1.0p-53;
}

void backoff_init(struct backoff *backoff, int64_t base, int64_t max)
{
    *backoff = (struct backoff){.base = base, .max = max, .next = base};
    random_init(&backoff->random);
}

int64_t backoff_delay(struct backoff *backoff)
{
    int64_t step = backoff->next;
    backoff->next = step > backoff->max / 2 ? backoff->max : step * 2;
    return (int64_t)((double)step * (0.5 + 0.5 * random_fraction(&backoff->random)));
}

void backoff_reset(struct backoff *backoff)
{
    backoff->next = backoff->base;
}
