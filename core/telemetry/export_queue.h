/*
 * export_queue.h - spans or log records that wait for the exporter, so many and no more
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_EXPORT_QUEUE_H
#define CORE_TELEMETRY_EXPORT_QUEUE_H

#include "log_records.h"
#include "spans.h"

#include <pthread.h>
#include <stdatomic.h>

/* Of spans or of records. Put by any thread, taken by one. */
struct export_queue {
    pthread_mutex_t lock;
    _Atomic uint64_t count, dropped;
    uint64_t limit, batch;
    struct span_list *lists, **lists_end;
    uint64_t lists_offset; /* spans of the first list that were taken already */
    struct log_record *records, **records_end;
};

bool queue_init(struct export_queue *queue, uint64_t limit, uint64_t batch)
    __attribute__((warn_unused_result));
void queue_clear(struct export_queue *queue);

/* Take what they are given in any case. Without room for all of it, it is dropped and counted.
 * Return whether with it a batch became full. */
bool queue_put_spans(struct export_queue *queue, struct span_list *list);
bool queue_put_record(struct export_queue *queue, struct log_record *record);

/* The first spans up to a batch, in a chain of lists of which those of the first before *offset
 * count no more; NULL if there are none. All stay in the queue until queue_drop_spans(). */
const struct span_list *queue_look_spans(struct export_queue *queue, uint64_t *offset,
                                         uint64_t *count);
void queue_drop_spans(struct export_queue *queue, uint64_t count);

/* Takes a batch out; the caller frees each with free(). */
struct log_record *queue_take_records(struct export_queue *queue, uint64_t *count);

static inline uint64_t queue_room(const struct export_queue *queue)
{
    uint64_t count = atomic_load_explicit(&queue->count, memory_order_relaxed);
    return count < queue->limit ? queue->limit - count : 0;
}

#endif
