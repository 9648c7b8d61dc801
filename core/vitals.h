/*
 * vitals.h - the signs of life of a pipeline, written by those who work
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_VITALS_H
#define CORE_VITALS_H

#include "view.h"

#include <pthread.h>
#include <stdatomic.h>

/* Who may be in trouble, and with whom. */
enum trouble {
    TROUBLE_OPENING,   /* the supervisor, with either driver */
    TROUBLE_STORE,     /* the workers */
    TROUBLE_LOOKING,   /* the lookout, with the store */
    TROUBLE_PUBLISHER, /* the lookout; while events flow the gate tells */
    TROUBLE_COUNT
};

struct vitals {
    _Atomic int64_t progressed_at; /* monotonic: an event was answered for and settled */
    _Atomic uint64_t in_flight;    /* events claimed and not settled */
    _Atomic bool in_trouble[TROUBLE_COUNT];
    pthread_mutex_t lock; /* of what follows */
    char reasons[TROUBLE_COUNT][VIEW_REASON];
    struct view_dead dead[VIEW_DEAD]; /* a ring */
    uint64_t dead_seen;
};

void vitals_init(struct vitals *vitals);
void vitals_clear(struct vitals *vitals);

/* All: any thread. */
void vitals_trouble(struct vitals *vitals, enum trouble trouble, const char *reason);
void vitals_well(struct vitals *vitals, enum trouble trouble);

/* False: all is well there. Else *reason says why not. */
bool vitals_reason(struct vitals *vitals, enum trouble trouble, char reason[VIEW_REASON]);

void vitals_dead(struct vitals *vitals, struct outbox_slice id, struct outbox_slice reason);

/* The latest first; returns how many. */
size_t vitals_read_dead(struct vitals *vitals, struct view_dead dead[VIEW_DEAD]);

#endif
