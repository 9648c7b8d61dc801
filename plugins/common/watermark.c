/*
 * watermark.c - where in an index the living rows begin
 * SPDX-License-Identifier: MIT
 */
#include "watermark.h"

/* A look is followed by at least this many times its own cost without one, and never by less than
 * the smallest gap, however cheap it was. */
#define LOOK_SHARE 50
#define LOOK_GAP INT64_C(10000000)

/* A look that was slow for another reason, a paused machine or a cold cache, must not blind the
 * relay for long. */
#define LOOK_GAP_MAX INT64_C(30000000000)

void watermark_init(struct watermark *watermark)
{
    *watermark = (struct watermark){.low = POSITION_FIRST};
    (void)pthread_mutex_init(&watermark->mutex, NULL);
}

void watermark_clear(struct watermark *watermark)
{
    (void)pthread_mutex_destroy(&watermark->mutex);
}

int position_compare(struct position a, struct position b)
{
    if (a.at != b.at)
        return a.at < b.at ? -1 : 1;
    if (a.tie != b.tie)
        return a.tie < b.tie ? -1 : 1;
    return a.rest < b.rest ? -1 : a.rest > b.rest;
}

struct position watermark_read(struct watermark *watermark, uint64_t *ticket)
{
    (void)pthread_mutex_lock(&watermark->mutex);
    struct position low = watermark->low;
    *ticket = watermark->lowered;
    (void)pthread_mutex_unlock(&watermark->mutex);
    return low;
}

void watermark_raise(struct watermark *watermark, struct position to, uint64_t ticket)
{
    (void)pthread_mutex_lock(&watermark->mutex);
    if (ticket == watermark->lowered && position_compare(to, watermark->low) > 0)
        watermark->low = to;
    (void)pthread_mutex_unlock(&watermark->mutex);
}

void watermark_lower(struct watermark *watermark, struct position to)
{
    (void)pthread_mutex_lock(&watermark->mutex);
    /* Counted even where it changes nothing: a scan under way may have passed `to` already. */
    watermark->lowered++;
    if (position_compare(to, watermark->low) < 0)
        watermark->low = to;
    (void)pthread_mutex_unlock(&watermark->mutex);
}

static bool is_due(const struct watermark *watermark, int64_t now)
{
    return !watermark->looking && now >= watermark->next_look &&
           position_compare(watermark->low, POSITION_FIRST) > 0;
}

bool watermark_look(struct watermark *watermark, int64_t now)
{
    (void)pthread_mutex_lock(&watermark->mutex);
    bool due = is_due(watermark, now);
    if (due)
        watermark->looking = true;
    (void)pthread_mutex_unlock(&watermark->mutex);
    return due;
}

void watermark_looked(struct watermark *watermark, int64_t now, int64_t cost)
{
    int64_t gap = cost < LOOK_GAP_MAX / LOOK_SHARE ? cost * LOOK_SHARE : LOOK_GAP_MAX;
    (void)pthread_mutex_lock(&watermark->mutex);
    watermark->looking = false;
    watermark->next_look = now + (gap > LOOK_GAP ? gap : LOOK_GAP);
    (void)pthread_mutex_unlock(&watermark->mutex);
}
