/*
 * flights.c - commands of a connection that are not answered yet, in their order
 * SPDX-License-Identifier: MIT
 */
#include "flights.h"

#include <stdlib.h>

#define SMALLEST_CAPACITY 256u

bool flights_room(struct flights *flights, uint64_t extra)
{
    uint64_t needed = flights_count(flights) + extra, capacity = flights->capacity;
    if (needed <= capacity)
        return true;
    if (capacity == 0)
        capacity = SMALLEST_CAPACITY;
    while (capacity < needed)
        capacity *= 2;
    struct flight *ring = calloc(capacity, sizeof(*ring));
    if (!ring)
        return false;
    for (uint64_t place = flights->head; place != flights->tail; place++)
        ring[place & (capacity - 1)] = *flights_at(flights, place);
    free(flights->ring);
    flights->ring = ring;
    flights->capacity = capacity;
    return true;
}

void flights_clear(struct flights *flights)
{
    free(flights->ring);
    *flights = (struct flights){0};
}
