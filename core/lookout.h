/*
 * lookout.h - looks at the table and the publisher from aside: what waits, whether it moves
 * SPDX-License-Identifier: MIT
 *
 * A thread of its own with a session of its own, so that it sees what is wrong with those who work.
 * It runs where somebody reads what it finds: http or telemetry.
 */
#ifndef CORE_LOOKOUT_H
#define CORE_LOOKOUT_H

#include "bell.h"
#include "holders.h"
#include "seat.h"
#include "telemetry/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

struct pipeline;

/* Figures that only rise, at one moment: what lies between two of them is recent. */
struct lookout_step {
    int64_t at; /* monotonic */
    uint64_t delivered, failed;
    struct histogram_reading e2e, publish, claim, settle;
};

/* A minute and a little, a step a second. */
#define LOOKOUT_STEPS 64

struct lookout {
    struct pipeline *pipeline;
    pthread_t thread;  /* 0: not started */
    _Atomic bool over; /* the workers have ended, maybe by themselves */
    struct bell bell;
    struct seat seat;
    _Atomic int64_t asked_at;      /* when a call of the store began that is not back; 0: none */
    _Atomic int64_t pinging_since; /* the same of the publisher */
    int64_t progress_seen;         /* the thread's own, like what follows */
    int64_t oldest_due;            /* by our clock; the earliest since it last moved */
    bool table_waits, table_moved; /* by the last count: due events, and others than before */
    int64_t pinged_at;
    pthread_mutex_t lock; /* of what follows */
    struct outbox_store_stats stats;
    int64_t counted_at; /* 0: never */
    struct holders holders;
    int64_t stuck_since;                      /* events wait and nothing has moved; 0: not so */
    struct lookout_step steps[LOOKOUT_STEPS]; /* a ring */
    uint64_t step_count;
};

bool lookout_init(struct lookout *lookout, struct pipeline *pipeline)
    __attribute__((warn_unused_result));
bool lookout_start(struct lookout *lookout) __attribute__((warn_unused_result));

/* Any thread: the pipeline stops. Ends the store call that it may be in. */
void lookout_stop(struct lookout *lookout);

/* Ends the thread, whether the pipeline stops or not. Harmless if it was not started. */
void lookout_join(struct lookout *lookout);
void lookout_clear(struct lookout *lookout);

/* ---- Any thread ---------------------------------------------------------------------------- */

/* False if the table was never counted. */
bool lookout_stats(struct lookout *lookout, struct outbox_store_stats *stats, int64_t *counted_at);

void lookout_holders(struct lookout *lookout, struct holders *holders);

/* How long events have waited while nothing moved, in nanoseconds; 0: not so. */
int64_t lookout_stuck_for(struct lookout *lookout);

/* When a call of the store began that has not returned; 0: none is out. */
int64_t lookout_asked_at(const struct lookout *lookout);

/* When a call of the publisher began that has not returned; 0: none is out. */
int64_t lookout_pinging_since(const struct lookout *lookout);

/* The figures now, and the step of `ago` nanoseconds before, or the oldest there is. False until
 * one is half a second old. */
bool lookout_steps(struct lookout *lookout, int64_t ago, struct lookout_step *from,
                   struct lookout_step *to);

#endif
