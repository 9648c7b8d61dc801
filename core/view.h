/*
 * view.h - a relay as an operator sees it at one moment
 * SPDX-License-Identifier: MIT
 *
 * A copy, so that whoever shows it holds no lock of those who work.
 */
#ifndef CORE_VIEW_H
#define CORE_VIEW_H

#include "holders.h"

#include <outbox/store.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIEW_REASON 320
#define VIEW_DEAD 20 /* the latest dead events that are remembered */
#define VIEW_CAUSES 4
#define VIEW_COUNTERS 32

/* Seconds; NAN where nothing was seen in the last minute. */
struct view_latency {
    double p50, p90, p99;
};

/* An event that this relay has given up. */
struct view_dead {
    int64_t at; /* microseconds since 1970 */
    char id[80];
    char reason[VIEW_REASON];
};

/* Why a pipeline is not ready. */
struct view_cause {
    const char *name; /* "store", "publisher", "stalled", "starting", "stopping", "ended" */
    char reason[VIEW_REASON];
};

struct view_counter {
    char driver[64], name[48];
    int64_t value;
};

struct view_pipeline {
    const char *name, *store, *publisher, *mode; /* the configuration's */
    uint64_t workers;
    int state; /* 1 active, 2 paused, 3 error */
    struct view_cause causes[VIEW_CAUSES];
    size_t cause_count; /* 0: ready */

    /* Since the start. */
    uint64_t claimed, delivered, dropped, retried, unknown, rejected, dead, released, stale,
        expired, pruned, in_flight;
    /* Events a second over the last ten seconds; NAN: not known yet. */
    double delivered_rate, failed_rate;
    struct view_latency e2e, publish, claim, settle;

    /* The table, when it was looked at last. */
    bool counted;
    int64_t counted_ago; /* nanoseconds */
    struct outbox_store_stats table;
    struct holders holders;

    struct view_dead dead_events[VIEW_DEAD]; /* newest first */
    size_t dead_count;
    struct view_counter counters[VIEW_COUNTERS]; /* of both drivers */
    size_t counter_count;
};

struct view {
    const char *relay_id, *version;
    int64_t pid;
    int64_t uptime;          /* nanoseconds */
    int64_t taken_at;        /* microseconds since 1970 */
    bool ready;              /* every pipeline is */
    bool alive;              /* every loop moves */
    char stuck[VIEW_REASON]; /* which does not, if !alive */
    size_t pipeline_count;
    struct view_pipeline pipelines[];
};

struct relay;

/* NULL if memory ran out. Any thread, while the relay runs. */
struct view *view_take(struct relay *relay) __attribute__((warn_unused_result));
void view_free(struct view **view);

#endif
