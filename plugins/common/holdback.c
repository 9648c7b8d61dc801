/*
 * holdback.c - events that failed and cannot be put off in their table, put off in memory
 * SPDX-License-Identifier: MIT
 */
#include "holdback.h"

#include <stdlib.h>
#include <sys/random.h>

struct held {
    struct held *next; /* of its bucket */
    size_t place;      /* in the heap */
    uint64_t hash;
    int64_t until, attempts;
    size_t len;
    char id[];
};

/* Remembered in all: as many again as may be held back, for their attempts. */
static size_t most(const struct holdback *holdback)
{
    return 2 * holdback->limit;
}

static size_t bucket_count(const struct holdback *holdback)
{
    size_t count = 16;
    while (count < most(holdback))
        count *= 2;
    return count;
}

void holdback_init(struct holdback *holdback, size_t limit)
{
    *holdback = (struct holdback){.limit = limit};
    (void)pthread_mutex_init(&holdback->mutex, NULL);
    /* Without randomness the ids are spread all the same, only foreseeably. */
    if (getrandom(&holdback->seed, sizeof(holdback->seed), GRND_NONBLOCK) < 0)
        holdback->seed = 0;
}

void holdback_clear(struct holdback *holdback)
{
    for (size_t i = 0; i < holdback->count; i++)
        free(holdback->heap[i]);
    free(holdback->heap);
    free(holdback->buckets);
    (void)pthread_mutex_destroy(&holdback->mutex);
}

/* ---- The hash table ----------------------------------------------------------------------- */

static uint64_t hash_of(const struct holdback *holdback, struct outbox_slice id)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ holdback->seed;
    for (uint64_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.data[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

static struct held **bucket_of(const struct holdback *holdback, uint64_t hash)
{
    return &holdback->buckets[hash & (bucket_count(holdback) - 1)];
}

static struct held *find(const struct holdback *holdback, struct outbox_slice id)
{
    if (holdback->count == 0)
        return NULL;
    uint64_t hash = hash_of(holdback, id);
    struct held *held = *bucket_of(holdback, hash);
    while (held &&
           (held->hash != hash || held->len != id.len || memcmp(held->id, id.data, held->len) != 0))
        held = held->next;
    return held;
}

static void unchain(const struct holdback *holdback, const struct held *held)
{
    struct held **link = bucket_of(holdback, held->hash);
    while (*link != held)
        link = &(*link)->next;
    *link = held->next;
}

/* ---- The heap ----------------------------------------------------------------------------- */

static void set_place(const struct holdback *holdback, size_t place, struct held *held)
{
    holdback->heap[place] = held;
    held->place = place;
}

static void move_up(const struct holdback *holdback, struct held *held)
{
    size_t place = held->place;
    while (place > 0 && holdback->heap[(place - 1) / 2]->until > held->until) {
        set_place(holdback, place, holdback->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    set_place(holdback, place, held);
}

static void move_down(const struct holdback *holdback, struct held *held)
{
    size_t place = held->place;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < holdback->count &&
            holdback->heap[child + 1]->until < holdback->heap[child]->until)
            child++;
        if (child >= holdback->count || holdback->heap[child]->until >= held->until)
            break;
        set_place(holdback, place, holdback->heap[child]);
        place = child;
    }
    set_place(holdback, place, held);
}

static void move(const struct holdback *holdback, struct held *held)
{
    move_up(holdback, held);
    move_down(holdback, held);
}

static void drop(struct holdback *holdback, struct held *held)
{
    size_t place = held->place;
    unchain(holdback, held);
    struct held *last = holdback->heap[--holdback->count];
    if (last != held) {
        set_place(holdback, place, last);
        move(holdback, last);
    }
    free(held);
}

/* ---- Holding back ------------------------------------------------------------------------- */

static bool reserve(struct holdback *holdback)
{
    if (!holdback->buckets)
        holdback->buckets = calloc(bucket_count(holdback), sizeof(struct held *));
    if (!holdback->buckets)
        return false;
    if (holdback->count < holdback->capacity)
        return true;
    size_t capacity = holdback->capacity > 0 ? 2 * holdback->capacity : 64;
    struct held **heap = reallocarray(holdback->heap, capacity, sizeof(struct held *));
    if (!heap)
        return false;
    holdback->heap = heap;
    holdback->capacity = capacity;
    return true;
}

static struct held *add(struct holdback *holdback, struct outbox_slice id, int64_t until)
{
    struct held *held = malloc(sizeof(*held) + (size_t)id.len);
    if (!held || !reserve(holdback)) {
        free(held);
        return NULL;
    }
    if (holdback->count >= most(holdback))
        drop(holdback, holdback->heap[0]);
    *held = (struct held){.hash = hash_of(holdback, id),
                          .until = until,
                          .len = (size_t)id.len,
                          .place = holdback->count++};
    memcpy(held->id, id.data, held->len);
    struct held **bucket = bucket_of(holdback, held->hash);
    held->next = *bucket;
    *bucket = held;
    move_up(holdback, held);
    return held;
}

bool holdback_put(struct holdback *holdback, struct outbox_slice id, int64_t until,
                  int64_t attempts)
{
    (void)pthread_mutex_lock(&holdback->mutex);
    struct held *held = find(holdback, id);
    if (!held)
        held = add(holdback, id, until);
    if (held) {
        held->until = until;
        held->attempts = attempts;
        move(holdback, held);
    }
    (void)pthread_mutex_unlock(&holdback->mutex);
    return held != NULL;
}

void holdback_forget(struct holdback *holdback, struct outbox_slice id)
{
    (void)pthread_mutex_lock(&holdback->mutex);
    struct held *held = find(holdback, id);
    if (held)
        drop(holdback, held);
    (void)pthread_mutex_unlock(&holdback->mutex);
}

bool holdback_holds(struct holdback *holdback, struct outbox_slice id, int64_t now)
{
    (void)pthread_mutex_lock(&holdback->mutex);
    const struct held *held = find(holdback, id);
    bool holds = held && held->until > now;
    (void)pthread_mutex_unlock(&holdback->mutex);
    return holds;
}

int64_t holdback_attempts(struct holdback *holdback, struct outbox_slice id)
{
    (void)pthread_mutex_lock(&holdback->mutex);
    const struct held *held = find(holdback, id);
    int64_t attempts = held ? held->attempts : 0;
    (void)pthread_mutex_unlock(&holdback->mutex);
    return attempts;
}

size_t holdback_list(struct holdback *holdback, int64_t now, holdback_visit *visit, void *context)
{
    size_t count = 0;
    (void)pthread_mutex_lock(&holdback->mutex);
    for (size_t i = 0; i < holdback->count; i++) {
        const struct held *held = holdback->heap[i];
        if (held->until <= now)
            continue;
        count++;
        if (visit)
            visit(context, (struct outbox_slice){held->id, held->len});
    }
    (void)pthread_mutex_unlock(&holdback->mutex);
    return count;
}

void holdback_recount(struct holdback *holdback, int64_t now, struct outbox_store_stats *stats)
{
    int64_t held = (int64_t)holdback_list(holdback, now, NULL, NULL);

    if (held == 0)
        return;
    stats->scheduled = held < stats->pending ? held : stats->pending;
    if (held >= stats->pending)
        stats->oldest_age = -1;
}

size_t holdback_room(const struct holdback *holdback, size_t held)
{
    return held < holdback->limit ? holdback->limit - held : 0;
}
