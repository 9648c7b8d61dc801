/*
 * relay.h - all pipelines of a process, from start to drained
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_RELAY_H
#define CORE_RELAY_H

#include "pipeline.h"

struct relay {
    const struct config *config;
    struct pipeline *pipelines;
    size_t count;
    struct metrics metrics; /* of the process */
    int64_t started_at;     /* monotonic */
    struct bell bell;
    int signals;
    bool stopping;
    int64_t pushed_at;
};

/* What a finished run did, summed over its pipelines. */
struct relay_totals {
    uint64_t claimed, delivered, dropped, retried, dead, released, stale;
};

/* Runs the pipelines until a signal of `stop_signals` (SIGTERM, SIGINT: blocked by the caller)
 * arrives, or with `once` until nothing is pending, then drains within config->shutdown_timeout. On
 * SIGHUP calls reload() for a fresh configuration (NULL: keep the old one) and applies its
 * tunables; the relay frees it. Returns an exit status: 0; 1 if a pipeline could not go on; 2 if
 * none could be opened because drivers refused their settings. */
int relay_run(const struct config *config, bool once, struct config *(*reload)(void *context),
              void *context, struct relay_totals *totals) __attribute__((warn_unused_result));

#endif
