/*
 * pipeline.h - one store, one publisher, and the threads between them
 * SPDX-License-Identifier: MIT
 *
 * A pipeline has one supervisor thread, which opens the drivers, keeps leases alive, ends expired
 * ones, probes an absent broker and shuts down; `workers` threads that claim, publish and settle;
 * a janitor; and a lookout.
 */
#ifndef CORE_PIPELINE_H
#define CORE_PIPELINE_H

#include "bell.h"
#include "clock.h"
#include "config.h"
#include "gate.h"
#include "host.h"
#include "janitor.h"
#include "lease.h"
#include "lookout.h"
#include "seat.h"
#include "telemetry/metrics.h"
#include "vitals.h"

#include <outbox/plugin.h>
#include <pthread.h>
#include <stdatomic.h>

/* Only ever moves forward. */
enum pipeline_phase {
    PHASE_RUN,
    PHASE_DRAIN,   /* claims nothing more, waits for the broker */
    PHASE_RELEASE, /* waits no longer: settles what is known, releases the rest */
    PHASE_ABANDON  /* out of time: what is not settled is left to its lease */
};

struct worker;

struct pipeline {
    const struct config *config;
    const struct pipeline_config *settings;
    bool once;
    struct exporter *exporter; /* of spans; may be NULL */

    struct host store_host, publisher_host;
    const struct outbox_store_ops *store_ops;
    const struct outbox_publisher_ops *publisher_ops;
    struct outbox_store *store;
    struct outbox_publisher *publisher;
    struct outbox_publisher_limits limits;

    struct gate gate;
    struct lease_book leases;
    struct metrics metrics;
    struct vitals vitals;

    pthread_mutex_t tunables_lock;
    struct tunables tunables; /* under tunables_lock */

    pthread_t thread;        /* the supervisor */
    struct bell bell;        /* the supervisor's */
    struct bell *relay_bell; /* rung when the pipeline has ended */
    _Atomic bool stopping;   /* then the phase follows from the time */
    _Atomic int64_t release_at, abandon_at;
    _Atomic bool failed, ended;
    _Atomic bool misconfigured; /* ended because a driver refused its settings */
    _Atomic bool opened;        /* both drivers are */
    _Atomic int64_t busy_since; /* the supervisor's; 0: it waits */

    struct janitor janitor;
    struct lookout lookout;

    struct seat keeper_seat;

    pthread_mutex_t workers_lock; /* held where the array comes, goes, or is used from outside */
    struct worker *workers;
    uint64_t worker_count;
    _Atomic uint64_t live_workers;
    pthread_mutex_t poller_lock;
    struct worker *poller;      /* under poller_lock: the one idle worker that polls for all */
    _Atomic int64_t claimed_at; /* the last claim by any worker, monotonic */
};

/* Starts the supervisor, which does the rest. Fails only if the process is out of resources. */
bool pipeline_start(struct pipeline *pipeline, const struct config *config,
                    const struct pipeline_config *settings, bool once, struct exporter *exporter,
                    struct bell *relay_bell) __attribute__((warn_unused_result));

/* Begins to drain; all should be over at `deadline`. Again: with a new deadline. Any thread. */
void pipeline_stop(struct pipeline *pipeline, int64_t deadline);

/* Ends the store calls that the pipeline's threads may be in; any thread. */
void pipeline_interrupt(struct pipeline *pipeline);

/* Makes every worker look for something to do; any thread. */
void pipeline_kick_workers(struct pipeline *pipeline);

/* Waits for the end and releases everything. */
void pipeline_join(struct pipeline *pipeline);

void pipeline_retune(struct pipeline *pipeline, const struct tunables *tunables);
struct tunables pipeline_tunables(struct pipeline *pipeline);

/* Gives up on a --once run. */
void pipeline_fail(struct pipeline *pipeline);

static inline enum pipeline_phase pipeline_phase(const struct pipeline *pipeline)
{
    if (!atomic_load_explicit(&pipeline->stopping, memory_order_acquire))
        return PHASE_RUN;
    int64_t now = clock_now();
    if (now >= atomic_load(&pipeline->abandon_at))
        return PHASE_ABANDON;
    return now >= atomic_load(&pipeline->release_at) ? PHASE_RELEASE : PHASE_DRAIN;
}

/* When the phase will change by itself. */
static inline int64_t pipeline_phase_ends(const struct pipeline *pipeline)
{
    switch (pipeline_phase(pipeline)) {
    case PHASE_DRAIN:
        return atomic_load(&pipeline->release_at);
    case PHASE_RELEASE:
        return atomic_load(&pipeline->abandon_at);
    default:
        return NEVER;
    }
}

/* Logs a driver's failure: what was being done, and the driver's own words. */
void pipeline_log_failure(const struct pipeline *pipeline, const char *driver, const char *doing,
                          enum outbox_status status, const struct outbox_error *error);

#define pipeline_log(pipeline, level, message, ...)                                                \
    log_line(level, message, FIELD("pipeline", (pipeline)->settings->name), ##__VA_ARGS__)

#endif
