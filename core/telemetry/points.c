/*
 * points.c - every figure of a relay, one after the other, for those who export them
 * SPDX-License-Identifier: MIT
 */
#include "points.h"

#include "../clock.h"
#include "../health.h"
#include "../log.h"
#include "../relay.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- Gauges -------------------------------------------------------------------------------- */

/* Negative: not known, because the store cannot tell it or because nothing was ever counted. */
static void refresh_backlog(struct pipeline *pipeline)
{
    static const struct outbox_store_stats unknown = {
        .pending = -1, .scheduled = -1, .delivering = -1, .dead = -1};
    struct metrics *metrics = &pipeline->metrics;
    struct outbox_store_stats stats;
    int64_t counted_at;
    bool is_counted = lookout_stats(&pipeline->lookout, &stats, &counted_at);
    double oldest_age = stats.oldest_age < 0 ? 0 : (double)stats.oldest_age / 1e6;

    if (!is_counted)
        stats = unknown;
    metrics_set(metrics, BACKLOG_PENDING, 0, stats.pending);
    metrics_set(metrics, BACKLOG_SCHEDULED, 0, stats.scheduled);
    metrics_set(metrics, BACKLOG_DELIVERING, 0, stats.delivering);
    metrics_set(metrics, BACKLOG_DEAD, 0, stats.dead);
    metrics_set(metrics, BACKLOG_ESTIMATED, FIGURE_PENDING,
                is_counted ? (stats.estimated & OUTBOX_ESTIMATED_PENDING) != 0 : -1);
    metrics_set(metrics, BACKLOG_ESTIMATED, FIGURE_DEAD,
                is_counted ? (stats.estimated & OUTBOX_ESTIMATED_DEAD) != 0 : -1);
    metrics_set_real(metrics, BACKLOG_OLDEST_AGE, 0, is_counted ? oldest_age : -1);
    metrics_set_real(metrics, BACKLOG_SAMPLE_AGE, 0,
                     is_counted ? (double)(clock_now() - counted_at) / (double)SECOND : -1);
}

static void refresh_pipeline(struct pipeline *pipeline)
{
    struct metrics *metrics = &pipeline->metrics;
    struct view_cause causes[VIEW_CAUSES];
    size_t count = health_causes(pipeline, causes);

    metrics_set(metrics, RELAY_STATE, 0, health_state(causes, count));
    metrics_set(metrics, RELAY_READY, 0, count == 0);
    metrics_set(metrics, RELAY_STALLED, 0, health_has(causes, count, "stalled"));
    metrics_set(metrics, STORE_UP, 0, !health_has(causes, count, "store"));
    metrics_set(metrics, PUBLISHER_UP, 0, !health_has(causes, count, "publisher"));
    metrics_set(metrics, EVENTS_IN_FLIGHT, 0, (int64_t)atomic_load(&pipeline->vitals.in_flight));
    refresh_backlog(pipeline);
}

static int64_t resident_bytes(void)
{
    long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file)
        return 0;
    if (fscanf(file, "%lld %lld", &total, &resident) != 2)
        resident = 0;
    (void)fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void refresh_process(struct relay *relay)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics_set_real(&relay->metrics, PROCESS_CPU_TIME, 0,
                         seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    metrics_set(&relay->metrics, PROCESS_MEMORY, 0, resident_bytes());
    metrics_set(&relay->metrics, LOG_SUPPRESSED, 0, (int64_t)log_suppressed());
    metrics_set_real(&relay->metrics, PROCESS_UPTIME, 0,
                     (double)(clock_now() - relay->started_at) / (double)SECOND);
}

/* ---- Visits -------------------------------------------------------------------------------- */

struct visit {
    struct relay *relay;
    point_visitor *visit;
    void *context;
};

static struct point point_of(const struct visit *visit, enum instrument_id id,
                             const struct pipeline *pipeline)
{
    struct point point = {.instrument = instrument(id)};

    point.attributes[point.attribute_count++] =
        (struct point_attribute){"relay_id", visit->relay->config->relay_id};
    if (pipeline)
        point.attributes[point.attribute_count++] =
            (struct point_attribute){"pipeline", pipeline->settings->name};
    return point;
}

static void add_attribute(struct point *point, const char *name, const char *value)
{
    point->attributes[point->attribute_count++] = (struct point_attribute){name, value};
}

static bool is_known(enum instrument_id id, const struct point *point)
{
    if (id < BACKLOG_PENDING || id > BACKLOG_SAMPLE_AGE)
        return true;
    return point->instrument->is_real ? point->real >= 0 : point->number >= 0;
}

static void visit_series(const struct visit *visit, enum instrument_id id,
                         const struct metrics *metrics, const struct pipeline *pipeline,
                         size_t series)
{
    struct point point = point_of(visit, id, pipeline);
    const struct instrument *instrument = point.instrument;

    for (size_t i = 0; i < INSTRUMENT_ATTRIBUTES && instrument->attributes[i].name; i++)
        add_attribute(&point, instrument->attributes[i].name,
                      instrument_value(instrument, series, i));
    if (instrument->kind == INSTRUMENT_HISTOGRAM)
        metrics_read_histogram(metrics, id, series, &point.histogram);
    else if (instrument->is_real)
        point.real = metrics_read_real(metrics, id, series);
    else
        point.number = (int64_t)metrics_read(metrics, id, series);
    if (is_known(id, &point))
        visit->visit(visit->context, &point);
}

static void visit_metrics(const struct visit *visit, enum instrument_id id,
                          const struct metrics *metrics, const struct pipeline *pipeline)
{
    for (size_t series = 0; series < instrument_series(instrument(id)); series++)
        visit_series(visit, id, metrics, pipeline, series);
}

static void visit_incidents(const struct visit *visit, const struct pipeline *pipeline,
                            struct host *host)
{
    struct host_counter counters[HOST_COUNTERS];
    size_t count = host_counters(host, counters);

    for (size_t i = 0; i < count; i++) {
        struct point point = point_of(visit, DRIVER_INCIDENTS, pipeline);
        add_attribute(&point, "driver", host->driver);
        add_attribute(&point, "counter", counters[i].name);
        point.number = counters[i].value;
        visit->visit(visit->context, &point);
    }
}

void points_visit(struct relay *relay, point_visitor *visitor, void *context)
{
    const struct visit visit = {relay, visitor, context};

    for (size_t i = 0; i < relay->count; i++)
        refresh_pipeline(&relay->pipelines[i]);
    refresh_process(relay);
    for (enum instrument_id id = 0; id < INSTRUMENT_COUNT; id++) {
        if (instrument(id)->of_process)
            visit_metrics(&visit, id, &relay->metrics, NULL);
        for (size_t i = 0; i < relay->count && !instrument(id)->of_process; i++) {
            struct pipeline *pipeline = &relay->pipelines[i];
            if (id == DRIVER_INCIDENTS) {
                visit_incidents(&visit, pipeline, &pipeline->store_host);
                visit_incidents(&visit, pipeline, &pipeline->publisher_host);
            } else {
                visit_metrics(&visit, id, &pipeline->metrics, pipeline);
            }
        }
    }
}
