/*
 * flight.c - what was sent on a channel and is not confirmed
 * SPDX-License-Identifier: MIT
 */
#include "flight.h"

#include <stdlib.h>

bool flight_init(struct flight *flight, uint64_t capacity)
{
    *flight = (struct flight){.ring = calloc(capacity, sizeof(struct sent)), .capacity = capacity};
    flight_reset(flight);
    return flight->ring != NULL;
}

void flight_clear(struct flight *flight)
{
    free(flight->ring);
    *flight = (struct flight){0};
}

void flight_reset(struct flight *flight)
{
    flight->first = flight->next = flight->cursor = 1;
}

uint64_t flight_count(const struct flight *flight)
{
    return flight->next - flight->first;
}

uint64_t flight_room(const struct flight *flight)
{
    return flight->capacity - flight_count(flight);
}

struct sent *flight_at(const struct flight *flight, uint64_t tag)
{
    return &flight->ring[tag % flight->capacity];
}

void flight_add(struct flight *flight, struct item item, int64_t now)
{
    *flight_at(flight, flight->next++) = (struct sent){.item = item, .at = now};
}

struct sent *flight_oldest(const struct flight *flight)
{
    for (uint64_t tag = flight->first; tag < flight->next; tag++) {
        struct sent *sent = flight_at(flight, tag);
        if (sent->item.batch)
            return sent;
    }
    return NULL;
}

static bool is_of(const struct sent *sent, struct outbox_slice event_id)
{
    if (!sent->item.batch || sent->is_returned)
        return false;
    struct outbox_slice id = outbox_batch_at(sent->item.batch, sent->item.index)->event->id;
    return id.len == event_id.len && memcmp(id.data, event_id.data, id.len) == 0;
}

void flight_mark_returned(struct flight *flight, struct outbox_slice event_id)
{
    uint64_t count = flight_count(flight);
    if (flight->cursor < flight->first || flight->cursor >= flight->next)
        flight->cursor = flight->first;
    uint64_t tag = flight->cursor;
    for (uint64_t i = 0; i < count; i++, tag++) {
        if (tag == flight->next)
            tag = flight->first;
        struct sent *sent = flight_at(flight, tag);
        if (is_of(sent, event_id)) {
            sent->is_returned = true;
            flight->cursor = tag;
            return;
        }
    }
}

static void settle(struct sent *sent, flight_take *take, void *context)
{
    if (sent->item.batch)
        take(context, sent);
    sent->item.batch = NULL;
    sent->at = 0;
}

/* Confirmed one by one and out of turn: `at` is 0 then, which is no instant of the clock. */
void flight_confirm(struct flight *flight, uint64_t tag, bool multiple, flight_take *take,
                    void *context)
{
    uint64_t last = tag == 0 && multiple ? flight->next - 1 : tag;
    if (last < flight->first || last >= flight->next)
        return;
    for (uint64_t at = multiple ? flight->first : last; at <= last; at++)
        settle(flight_at(flight, at), take, context);
    while (flight->first < flight->next && flight_at(flight, flight->first)->at == 0)
        flight->first++;
}
