/*
 * flights.h - commands of a connection that are not answered yet, in their order
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_FLIGHTS_H
#define PUBLISHER_REDIS_FLIGHTS_H

#include <outbox/publisher.h>
#include <stdbool.h>

enum flight_kind { FLIGHT_MESSAGE, FLIGHT_ASKING, FLIGHT_WAIT };

struct flight {
    const struct outbox_batch *batch; /* of a message that is not completed yet; else NULL */
    uint64_t end;   /* bytes that the connection has written once this command is out */
    uint32_t index; /* in the batch */
    uint8_t kind;
    uint8_t redirects; /* how often a cluster has sent it elsewhere */
    bool is_answered;  /* and waits for replicas */
};

/* A ring that grows. Starts as all zeroes. */
struct flights {
    struct flight *ring;
    uint64_t capacity;   /* 0 or a power of two */
    uint64_t head;       /* ever taken out */
    uint64_t tail;       /* ever put in */
    uint64_t unanswered; /* the first that has no answer: between head and tail */
};

static inline bool flights_are_none(const struct flights *flights)
{
    return flights->head == flights->tail;
}

static inline uint64_t flights_count(const struct flights *flights)
{
    return flights->tail - flights->head;
}

static inline struct flight *flights_at(struct flights *flights, uint64_t place)
{
    return &flights->ring[place & (flights->capacity - 1)];
}

/* Makes room for so many more; false if the memory is used up. */
bool flights_room(struct flights *flights, uint64_t extra) OUTBOX_MUST_USE;

/* There is room. */
static inline void flights_put(struct flights *flights, struct flight flight)
{
    *flights_at(flights, flights->tail++) = flight;
}

void flights_clear(struct flights *flights);

#endif
