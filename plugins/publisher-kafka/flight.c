/*
 * flight.c - batches on their way, and which of their messages are still out
 * SPDX-License-Identifier: MIT
 */
#include "flight.h"

#include "outcome.h"

#include <stdlib.h>

bool flights_init(struct flights *flights, const struct outbox_host *host)
{
    flights->host = host;
    flights->first = NULL;
    return pthread_mutex_init(&flights->lock, NULL) == 0;
}

void flights_clear(struct flights *flights)
{
    (void)pthread_mutex_destroy(&flights->lock);
}

struct flight *flight_new(struct flights *flights, const struct outbox_batch *batch)
{
    uint64_t count = batch->count;
    struct flight *flight =
        malloc(sizeof(*flight) + count * (sizeof(flight->handles[0]) + sizeof(*flight->is_done)));
    if (!flight)
        return NULL;
    *flight = (struct flight){.owner = flights,
                              .batch = batch,
                              .count = count,
                              .deadline = batch->deadline,
                              .is_listed = true,
                              .next = NULL};
    atomic_init(&flight->open, count);
    atomic_init(&flight->is_cancelled, false);
    flight->is_done = (uint8_t *)&flight->handles[count];
    memset(flight->is_done, 0, count);
    for (uint64_t i = 0; i < count; i++)
        flight->handles[i] = flight;

    (void)pthread_mutex_lock(&flights->lock);
    flight->next = flights->first;
    if (flight->next)
        flight->next->previous = flight;
    flights->first = flight;
    (void)pthread_mutex_unlock(&flights->lock);
    return flight;
}

/* Under the lock. */
static void unlist(struct flight *flight)
{
    if (flight->previous)
        flight->previous->next = flight->next;
    else
        flight->owner->first = flight->next;
    if (flight->next)
        flight->next->previous = flight->previous;
    flight->is_listed = false;
}

void flight_let_go(struct flight *flight)
{
    struct flights *flights = flight->owner;
    (void)pthread_mutex_lock(&flights->lock);
    flight->is_published = true;
    bool is_last = !flight->is_listed;
    (void)pthread_mutex_unlock(&flights->lock);
    if (is_last)
        free(flight);
}

/* Counts messages out. Out of the list comes the flight before its last message is completed:
 * afterwards the relay may use the batch's address again. */
static void count_out(struct flight *flight, uint64_t count)
{
    struct flights *flights = flight->owner;
    if (atomic_fetch_sub_explicit(&flight->open, count, memory_order_acq_rel) != count)
        return;
    (void)pthread_mutex_lock(&flights->lock);
    unlist(flight);
    bool is_last = flight->is_published;
    (void)pthread_mutex_unlock(&flights->lock);
    if (is_last)
        free(flight);
}

void flight_complete(struct flight *flight, uint64_t first, uint64_t count, uint32_t outcome,
                     const char *reason)
{
    const struct outbox_host *host = flight->owner->host;
    const struct outbox_batch *batch = flight->batch;
    if (count == 0)
        return;
    memset(flight->is_done + first, 1, count);
    count_out(flight, count);
    outcome_complete(host, batch, first, count, outcome, reason);
}

void flights_cancel(struct flights *flights, const struct outbox_batch *batch)
{
    (void)pthread_mutex_lock(&flights->lock);
    for (struct flight *flight = flights->first; flight; flight = flight->next) {
        if (flight->batch == batch)
            atomic_store_explicit(&flight->is_cancelled, true, memory_order_release);
    }
    (void)pthread_mutex_unlock(&flights->lock);
}

int64_t flights_deadline(struct flights *flights)
{
    int64_t earliest = INT64_MAX;
    (void)pthread_mutex_lock(&flights->lock);
    for (const struct flight *flight = flights->first; flight; flight = flight->next) {
        if (flight->deadline < earliest)
            earliest = flight->deadline;
    }
    (void)pthread_mutex_unlock(&flights->lock);
    return earliest;
}

/* Runs of open messages. The flight goes with the last of them. */
static void sweep_one(struct flight *flight, uint32_t outcome, const char *reason)
{
    uint64_t left = atomic_load_explicit(&flight->open, memory_order_acquire);
    for (uint64_t first = 0; left > 0;) {
        uint64_t end = first;
        if (flight->is_done[first]) {
            first++;
            continue;
        }
        while (end < flight->count && !flight->is_done[end])
            end++;
        left -= end - first;
        flight_complete(flight, first, end - first, outcome, reason);
        first = end;
    }
}

void flights_sweep(struct flights *flights, uint32_t outcome, const char *reason)
{
    (void)pthread_mutex_lock(&flights->lock);
    struct flight *flight = flights->first;
    while (flight) {
        struct flight *next = flight->next;
        (void)pthread_mutex_unlock(&flights->lock);
        sweep_one(flight, outcome, reason);
        (void)pthread_mutex_lock(&flights->lock);
        flight = next;
    }
    (void)pthread_mutex_unlock(&flights->lock);
}
