/*
 * view.c - a relay as an operator sees it at one moment
 * SPDX-License-Identifier: MIT
 */
#include "view.h"

#include "clock.h"
#include "health.h"
#include "relay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RATE_SPAN (10 * SECOND)
#define LATENCY_SPAN (60 * SECOND)

static void read_totals(const struct pipeline *pipeline, struct view_pipeline *view)
{
    const struct metrics *metrics = &pipeline->metrics;

    view->claimed = metrics_read(metrics, EVENTS_CLAIMED, 0);
    view->delivered = metrics_read(metrics, EVENTS_DELIVERED, 0);
    view->dropped = metrics_read(metrics, EVENTS_DROPPED, 0);
    view->retried = metrics_read(metrics, EVENTS_RETRIED, 0);
    view->unknown = metrics_read(metrics, EVENTS_OUTCOMES, CLASS_UNKNOWN);
    view->rejected = metrics_read(metrics, EVENTS_OUTCOMES, CLASS_REJECTED);
    view->dead = metrics_read(metrics, EVENTS_DEAD, 0);
    view->released = metrics_read(metrics, EVENTS_RELEASED, 0);
    view->stale = metrics_read(metrics, EVENTS_STALE, 0);
    view->expired = metrics_read(metrics, LEASES_EXPIRED, 0);
    view->pruned = metrics_read(metrics, EVENTS_PRUNED, 0);
    view->in_flight = atomic_load(&pipeline->vitals.in_flight);
}

static void read_rates(struct lookout *lookout, struct view_pipeline *view)
{
    struct lookout_step from, to;

    view->delivered_rate = view->failed_rate = NAN;
    if (!lookout_steps(lookout, RATE_SPAN, &from, &to))
        return;
    double span = (double)(to.at - from.at) / (double)SECOND;
    view->delivered_rate = (double)(to.delivered - from.delivered) / span;
    view->failed_rate = (double)(to.failed - from.failed) / span;
}

static struct view_latency latency(enum instrument_id id, struct histogram_reading *to,
                                   const struct histogram_reading *from)
{
    histogram_subtract(to, from);
    return (struct view_latency){.p50 = histogram_quantile(id, to, 0.5),
                                 .p90 = histogram_quantile(id, to, 0.9),
                                 .p99 = histogram_quantile(id, to, 0.99)};
}

static void read_latencies(struct lookout *lookout, struct view_pipeline *view)
{
    const struct view_latency nothing = {NAN, NAN, NAN};
    struct lookout_step from, to;

    view->e2e = view->publish = view->claim = view->settle = nothing;
    if (!lookout_steps(lookout, LATENCY_SPAN, &from, &to))
        return;
    view->e2e = latency(EVENTS_E2E_LATENCY, &to.e2e, &from.e2e);
    view->publish = latency(PUBLISHER_LATENCY, &to.publish, &from.publish);
    view->claim = latency(STORAGE_LATENCY, &to.claim, &from.claim);
    view->settle = latency(STORAGE_LATENCY, &to.settle, &from.settle);
}

static void read_counters(struct host *host, struct view_pipeline *view)
{
    struct host_counter counters[HOST_COUNTERS];
    size_t count = host_counters(host, counters);

    for (size_t i = 0; i < count && view->counter_count < VIEW_COUNTERS; i++) {
        struct view_counter *counter = &view->counters[view->counter_count++];
        (void)snprintf(counter->driver, sizeof(counter->driver), "%s", host->driver);
        _Static_assert(sizeof(counter->name) == sizeof(counters[i].name), "copied whole");
        memcpy(counter->name, counters[i].name, sizeof(counter->name));
        counter->value = counters[i].value;
    }
}

static void read_pipeline(struct pipeline *pipeline, struct view_pipeline *view)
{
    const struct pipeline_config *settings = pipeline->settings;
    int64_t counted_at;

    *view = (struct view_pipeline){
        .name = settings->name,
        .store = settings->store.plugin->name,
        .publisher = settings->publisher.plugin->name,
        .mode = settings->mode == OUTBOX_MODE_HOLD ? "hold" : "lease",
        .workers = settings->workers,
    };
    view->cause_count = health_causes(pipeline, view->causes);
    view->state = health_state(view->causes, view->cause_count);
    read_totals(pipeline, view);
    read_rates(&pipeline->lookout, view);
    read_latencies(&pipeline->lookout, view);
    view->counted = lookout_stats(&pipeline->lookout, &view->table, &counted_at);
    view->counted_ago = view->counted ? clock_now() - counted_at : 0;
    lookout_holders(&pipeline->lookout, &view->holders);
    view->dead_count = vitals_read_dead(&pipeline->vitals, view->dead_events);
    read_counters(&pipeline->store_host, view);
    read_counters(&pipeline->publisher_host, view);
}

struct view *view_take(struct relay *relay)
{
    struct view *view = calloc(1, sizeof(*view) + relay->count * sizeof(struct view_pipeline));

    if (!view)
        return NULL;
    view->relay_id = relay->config->relay_id;
    view->version = OUTBOX_VERSION;
    view->pid = getpid();
    view->uptime = clock_now() - relay->started_at;
    view->taken_at = clock_wall() / MICROSECOND;
    view->ready = view->alive = true;
    view->pipeline_count = relay->count;
    for (size_t i = 0; i < relay->count; i++) {
        read_pipeline(&relay->pipelines[i], &view->pipelines[i]);
        view->ready = view->ready && view->pipelines[i].cause_count == 0;
        view->alive = view->alive && health_is_alive(&relay->pipelines[i], view->stuck);
    }
    return view;
}

void view_free(struct view **view)
{
    free(*view);
    *view = NULL;
}
