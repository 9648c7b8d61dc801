/*
 * vitals.c - the signs of life of a pipeline, written by those who work
 * SPDX-License-Identifier: MIT
 */
#include "vitals.h"

#include "clock.h"

#include <stdio.h>

void vitals_init(struct vitals *vitals)
{
    *vitals = (struct vitals){0};
    atomic_init(&vitals->progressed_at, clock_now());
    pthread_mutex_init(&vitals->lock, NULL);
}

void vitals_clear(struct vitals *vitals)
{
    pthread_mutex_destroy(&vitals->lock);
}

/* ---- Trouble ------------------------------------------------------------------------------- */

void vitals_trouble(struct vitals *vitals, enum trouble trouble, const char *reason)
{
    pthread_mutex_lock(&vitals->lock);
    (void)snprintf(vitals->reasons[trouble], VIEW_REASON, "%s", reason);
    atomic_store(&vitals->in_trouble[trouble], true);
    pthread_mutex_unlock(&vitals->lock);
}

void vitals_well(struct vitals *vitals, enum trouble trouble)
{
    if (atomic_load_explicit(&vitals->in_trouble[trouble], memory_order_relaxed))
        atomic_store(&vitals->in_trouble[trouble], false);
}

bool vitals_reason(struct vitals *vitals, enum trouble trouble, char reason[VIEW_REASON])
{
    if (!atomic_load(&vitals->in_trouble[trouble]))
        return false;
    pthread_mutex_lock(&vitals->lock);
    (void)snprintf(reason, VIEW_REASON, "%s", vitals->reasons[trouble]);
    pthread_mutex_unlock(&vitals->lock);
    return true;
}

/* ---- Dead events --------------------------------------------------------------------------- */

void vitals_dead(struct vitals *vitals, struct outbox_slice id, struct outbox_slice reason)
{
    pthread_mutex_lock(&vitals->lock);
    struct view_dead *dead = &vitals->dead[vitals->dead_seen++ % VIEW_DEAD];
    dead->at = clock_wall() / MICROSECOND;
    (void)snprintf(dead->id, sizeof(dead->id), "%.*s", (int)id.len, id.data ? id.data : "");
    (void)snprintf(dead->reason, sizeof(dead->reason), "%.*s", (int)reason.len,
                   reason.data ? reason.data : "");
    pthread_mutex_unlock(&vitals->lock);
}

size_t vitals_read_dead(struct vitals *vitals, struct view_dead dead[VIEW_DEAD])
{
    pthread_mutex_lock(&vitals->lock);
    uint64_t seen = vitals->dead_seen;
    size_t count = seen < VIEW_DEAD ? (size_t)seen : VIEW_DEAD;
    for (size_t i = 0; i < count; i++)
        dead[i] = vitals->dead[(seen - 1 - i) % VIEW_DEAD];
    pthread_mutex_unlock(&vitals->lock);
    return count;
}
