/*
 * export_queue.c - spans or log records that wait for the exporter, so many and no more
 * SPDX-License-Identifier: MIT
 */
#include "export_queue.h"

#include <stdlib.h>

bool queue_init(struct export_queue *queue, uint64_t limit, uint64_t batch)
{
    *queue = (struct export_queue){.limit = limit, .batch = batch};
    queue->lists_end = &queue->lists;
    queue->records_end = &queue->records;
    return pthread_mutex_init(&queue->lock, NULL) == 0;
}

void queue_clear(struct export_queue *queue)
{
    queue_drop_spans(queue, queue->count);
    while (queue->records) {
        struct log_record *record = queue->records;
        queue->records = record->next;
        free(record);
    }
    (void)pthread_mutex_destroy(&queue->lock);
}

/* Under the lock. */
static bool is_filled(struct export_queue *queue, uint64_t more)
{
    uint64_t before = atomic_fetch_add(&queue->count, more);
    return before < queue->batch && before + more >= queue->batch;
}

bool queue_put_spans(struct export_queue *queue, struct span_list *list)
{
    uint64_t count = list->count;
    bool filled = false;

    if (count == 0) {
        span_list_free(&list);
        return false;
    }
    (void)pthread_mutex_lock(&queue->lock);
    if (count <= queue_room(queue)) {
        list->next = NULL;
        *queue->lists_end = list;
        queue->lists_end = &list->next;
        filled = is_filled(queue, count);
        list = NULL;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    if (!list)
        return filled;
    (void)atomic_fetch_add(&queue->dropped, count);
    span_list_free(&list);
    return false;
}

bool queue_put_record(struct export_queue *queue, struct log_record *record)
{
    bool filled = false;

    (void)pthread_mutex_lock(&queue->lock);
    if (queue_room(queue) > 0) {
        record->next = NULL;
        *queue->records_end = record;
        queue->records_end = &record->next;
        filled = is_filled(queue, 1);
        record = NULL;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    if (!record)
        return filled;
    (void)atomic_fetch_add(&queue->dropped, 1);
    free(record);
    return false;
}

const struct span_list *queue_look_spans(struct export_queue *queue, uint64_t *offset,
                                         uint64_t *count)
{
    uint64_t there = atomic_load(&queue->count);

    (void)pthread_mutex_lock(&queue->lock);
    const struct span_list *first = queue->lists;
    (void)pthread_mutex_unlock(&queue->lock);
    *offset = queue->lists_offset;
    *count = there < queue->batch ? there : queue->batch;
    return first;
}

void queue_drop_spans(struct export_queue *queue, uint64_t count)
{
    struct span_list *used = NULL, *next;

    (void)pthread_mutex_lock(&queue->lock);
    (void)atomic_fetch_sub(&queue->count, count);
    while (queue->lists && count >= queue->lists->count - queue->lists_offset) {
        struct span_list *list = queue->lists;
        count -= list->count - queue->lists_offset;
        queue->lists_offset = 0;
        queue->lists = list->next;
        list->next = used;
        used = list;
    }
    queue->lists_offset += count;
    if (!queue->lists)
        queue->lists_end = &queue->lists;
    (void)pthread_mutex_unlock(&queue->lock);
    for (; used; used = next) {
        next = used->next;
        span_list_free(&used);
    }
}

struct log_record *queue_take_records(struct export_queue *queue, uint64_t *count)
{
    (void)pthread_mutex_lock(&queue->lock);
    struct log_record *first = queue->records, **end = &queue->records;
    for (*count = 0; *end && *count < queue->batch; ++*count)
        end = &(*end)->next;
    queue->records = *end;
    if (!queue->records)
        queue->records_end = &queue->records;
    if (*count > 0)
        *end = NULL;
    (void)atomic_fetch_sub(&queue->count, *count);
    (void)pthread_mutex_unlock(&queue->lock);
    return first;
}
