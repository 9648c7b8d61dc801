/*
 * queue.h - messages that wait to be sent by a lane
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_QUEUE_H
#define PUBLISHER_REDIS_QUEUE_H

#include <outbox/publisher.h>
#include <stdbool.h>

/* The part of a batch that goes through one lane. */
struct parcel {
    struct parcel *next;
    const struct outbox_batch *batch;
    uint64_t position, count; /* the next message to be taken, and how many there are */
    uint32_t indexes[];       /* in the batch; none: position is the index itself */
};

/* Memory for a part of `indexes` messages that are listed one by one, 0 for a whole batch. NULL if
 * the memory is used up. */
struct parcel *parcel_new(const struct outbox_batch *batch, uint64_t indexes) OUTBOX_MUST_USE;
void parcels_free(struct parcel *first);

static inline uint32_t parcel_index(const struct parcel *parcel, uint64_t position)
{
    return parcel->count == parcel->batch->count ? (uint32_t)position : parcel->indexes[position];
}

/* Starts as all zeroes. Whoever uses it holds the lane's lock. */
struct queue {
    struct parcel *first, *last;
};

void queue_put(struct queue *queue, struct parcel *parcel);

struct queued {
    const struct outbox_batch *batch;
    uint32_t index;
    uint16_t ask_node; /* not 0: the node that a cluster says to ask this once */
    uint8_t redirects; /* how often a cluster has sent it elsewhere */
};

/* Takes up to `most` messages, from the first on, and sets *emptied to a list of parcels that are
 * used up, which the caller frees. Returns how many. */
uint64_t queue_take(struct queue *queue, struct queued *taken, uint64_t most,
                    struct parcel **emptied);

/* Takes out the parcels of a batch (NULL: of every batch) whose deadline is `now` or earlier. */
struct parcel *queue_remove(struct queue *queue, const struct outbox_batch *batch, int64_t now);

/* The earliest deadline of all; INT64_MAX if it is empty. */
int64_t queue_deadline(const struct queue *queue);

#endif
