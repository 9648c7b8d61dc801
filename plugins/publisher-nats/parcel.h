/*
 * parcel.h - a batch in the hands of a courier
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_PARCEL_H
#define PUBLISHER_NATS_PARCEL_H

#include <outbox/publisher.h>
#include <stdbool.h>

struct parcel {
    struct parcel *before, *behind;
    const struct outbox_batch *batch; /* not to be touched once `left` is 0 */
    uint64_t count;
    uint64_t sent; /* messages before this one were sent or refused */
    uint64_t left; /* messages not completed */
    int64_t deadline;
    bool is_cancelled; /* under the courier's lock */
};

/* In the order in which they came. Starts as all zeroes. */
struct parcels {
    struct parcel *first, *last;
};

static inline void parcels_append(struct parcels *parcels, struct parcel *parcel)
{
    parcel->before = parcels->last;
    parcel->behind = NULL;
    if (parcels->last)
        parcels->last->behind = parcel;
    else
        parcels->first = parcel;
    parcels->last = parcel;
}

static inline void parcels_remove(struct parcels *parcels, struct parcel *parcel)
{
    if (parcel->before)
        parcel->before->behind = parcel->behind;
    else
        parcels->first = parcel->behind;
    if (parcel->behind)
        parcel->behind->before = parcel->before;
    else
        parcels->last = parcel->before;
}

#endif
