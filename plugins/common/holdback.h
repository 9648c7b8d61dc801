/*
 * holdback.h - events that failed and cannot be put off in their table, put off in memory
 * SPDX-License-Identifier: MIT
 *
 * A table without a column for the next attempt leaves a failed row free for the taking at once. So
 * a store remembers which ids it leaves alone, until when, and, where the table does not count
 * them, after how many attempts. What ends with the process is only this memory, never an event:
 * the next relay tries it at once and counts anew.
 *
 * The memory is bounded by claiming less: holdback_room() tells how many more events may be
 * claimed, so that all of them can fail. What is not held back any more is remembered for its
 * attempts alone, and when the memory is full, what has been free longest is forgotten first.
 */
#ifndef PLUGINS_COMMON_HOLDBACK_H
#define PLUGINS_COMMON_HOLDBACK_H

#include <outbox/store.h>
#include <pthread.h>
#include <stdbool.h>

struct held;

/* Shared by the sessions of a store; every function may be called by any thread. Instants are
 * nanoseconds of host->now(). */
struct holdback {
    pthread_mutex_t mutex;
    size_t limit;          /* events that may be held back at a time */
    struct held **buckets; /* a hash table of chains; NULL until something is held back */
    struct held **heap;    /* the same, the one that is free first on top */
    size_t count, capacity;
    uint64_t seed;
};

/* Takes no memory before something fails. */
void holdback_init(struct holdback *holdback, size_t limit);
void holdback_clear(struct holdback *holdback);

/* Leaves `id` alone until `until`, after `attempts` failures. False if memory ran out: it is free
 * at once, and what was remembered of it stays. */
bool holdback_put(struct holdback *holdback, struct outbox_slice id, int64_t until,
                  int64_t attempts) OUTBOX_MUST_USE;

/* The event is settled for good. */
void holdback_forget(struct holdback *holdback, struct outbox_slice id);

bool holdback_holds(struct holdback *holdback, struct outbox_slice id, int64_t now);

/* Failures so far, 0 for an id that is not remembered. */
int64_t holdback_attempts(struct holdback *holdback, struct outbox_slice id);

/* Tells `visit` every id that is held back at `now`, in no order, and returns how many there are.
 * `visit` may be NULL, and must not come back to this holdback. */
typedef void holdback_visit(void *context, struct outbox_slice id);
size_t holdback_list(struct holdback *holdback, int64_t now, holdback_visit *visit, void *context);

/* In the table what is held back looks due. Counts it with what is due later, and where nothing
 * else waits there is no oldest. */
void holdback_recount(struct holdback *holdback, int64_t now, struct outbox_store_stats *stats);

/* How many more may be claimed with `held` of them held back. */
size_t holdback_room(const struct holdback *holdback, size_t held);

#endif
