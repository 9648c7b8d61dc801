/*
 * queue.c - messages that wait to be sent by a lane
 * SPDX-License-Identifier: MIT
 */
#include "queue.h"

#include <stdlib.h>

struct parcel *parcel_new(const struct outbox_batch *batch, uint64_t indexes)
{
    struct parcel *parcel = malloc(sizeof(*parcel) + indexes * sizeof(parcel->indexes[0]));
    if (parcel)
        *parcel = (struct parcel){.batch = batch};
    return parcel;
}

void parcels_free(struct parcel *first)
{
    while (first) {
        struct parcel *next = first->next;
        free(first);
        first = next;
    }
}

void queue_put(struct queue *queue, struct parcel *parcel)
{
    parcel->next = NULL;
    if (queue->last)
        queue->last->next = parcel;
    else
        queue->first = parcel;
    queue->last = parcel;
}

uint64_t queue_take(struct queue *queue, struct queued *taken, uint64_t most,
                    struct parcel **emptied)
{
    uint64_t count = 0;
    *emptied = NULL;
    while (queue->first && count < most) {
        struct parcel *parcel = queue->first;
        for (; parcel->position < parcel->count && count < most; parcel->position++)
            taken[count++] =
                (struct queued){parcel->batch, parcel_index(parcel, parcel->position), 0, 0};
        if (parcel->position < parcel->count)
            break;
        queue->first = parcel->next;
        if (!queue->first)
            queue->last = NULL;
        parcel->next = *emptied;
        *emptied = parcel;
    }
    return count;
}

struct parcel *queue_remove(struct queue *queue, const struct outbox_batch *batch, int64_t now)
{
    struct parcel *removed = NULL, **removed_end = &removed, **link = &queue->first;
    queue->last = NULL;
    while (*link) {
        struct parcel *parcel = *link;
        if ((batch && parcel->batch != batch) || parcel->batch->deadline > now) {
            queue->last = parcel;
            link = &parcel->next;
            continue;
        }
        *link = parcel->next;
        parcel->next = NULL;
        *removed_end = parcel;
        removed_end = &parcel->next;
    }
    return removed;
}

int64_t queue_deadline(const struct queue *queue)
{
    int64_t earliest = INT64_MAX;
    for (const struct parcel *parcel = queue->first; parcel; parcel = parcel->next)
        if (parcel->batch->deadline < earliest)
            earliest = parcel->batch->deadline;
    return earliest;
}
