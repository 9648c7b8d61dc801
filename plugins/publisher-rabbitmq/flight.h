/*
 * flight.h - what was sent on a channel and is not confirmed
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_RABBITMQ_FLIGHT_H
#define PUBLISHER_RABBITMQ_FLIGHT_H

#include <outbox/publisher.h>
#include <stdbool.h>

/* One message of a batch. */
struct item {
    const struct outbox_batch *batch; /* NULL: none */
    uint64_t index;
};

struct sent {
    struct item item; /* its batch is NULL once the message has its outcome */
    int64_t at;
    bool is_returned; /* the broker could not route it */
};

/* Messages by delivery tag. The broker counts the messages of a channel from 1 and so do we. Starts
 * as all zeroes. */
struct flight {
    struct sent *ring;
    uint64_t capacity;
    uint64_t first, next; /* tags: the oldest that is not confirmed, the one of the next message */
    uint64_t cursor;      /* where the last returned message was found */
};

bool flight_init(struct flight *flight, uint64_t capacity) OUTBOX_MUST_USE;
void flight_clear(struct flight *flight);
/* For a new channel. */
void flight_reset(struct flight *flight);

uint64_t flight_count(const struct flight *flight) OUTBOX_MUST_USE;
uint64_t flight_room(const struct flight *flight) OUTBOX_MUST_USE;
/* There is room. */
void flight_add(struct flight *flight, struct item item, int64_t now);
/* The message of a tag that is in flight. */
struct sent *flight_at(const struct flight *flight, uint64_t tag);
/* The oldest message without an outcome; NULL if there is none. */
struct sent *flight_oldest(const struct flight *flight) OUTBOX_MUST_USE;

/* Marks the message of this event as returned. Returned messages come in the order in which they
 * were sent, so the search goes on from the last one. */
void flight_mark_returned(struct flight *flight, struct outbox_slice event_id);

/* Calls take() for the messages that a confirm is about, oldest first, and forgets them; those that
 * have their outcome already are left out. */
typedef void flight_take(void *context, const struct sent *sent);
void flight_confirm(struct flight *flight, uint64_t tag, bool multiple, flight_take *take,
                    void *context);

#endif
