/*
 * figures.c - a relay's figures as JSON: what /stats answers
 * SPDX-License-Identifier: MIT
 */
#include "figures.h"

#include "../cli.h"

#include <math.h>

/* Enough for microseconds since 1970, and so few that 0.1 stays 0.1. */
#define DIGITS 16

/* ---- Values that may be missing ----------------------------------------------------------- */

static json_t *seconds(double value)
{
    return isfinite(value) ? json_real(round(value * 1e9) / 1e9) : json_null();
}

static json_t *count(int64_t value)
{
    return value < 0 ? json_null() : json_integer(value);
}

static json_t *since_start(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static const char *state_name(int state)
{
    return state == 1 ? "active" : state == 2 ? "paused" : "error";
}

/* ---- Parts of a pipeline ------------------------------------------------------------------ */

/* Adds to an array; false if there is no memory, for the part either. */
static bool append(json_t *array, json_t *part)
{
    return part && json_array_append_new(array, part) == 0;
}

json_t *figures_causes(const struct view_pipeline *pipeline)
{
    json_t *causes = json_array();

    for (size_t i = 0; i < pipeline->cause_count; i++) {
        const struct view_cause *cause = &pipeline->causes[i];
        if (!append(causes, json_pack("{s:s, s:o}", "cause", cause->name, "reason",
                                      cli_json_text(cause->reason)))) {
            json_decref(causes);
            return NULL;
        }
    }
    return causes;
}

static json_t *totals(const struct view_pipeline *pipeline)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "claimed",
                     since_start(pipeline->claimed), "delivered", since_start(pipeline->delivered),
                     "dropped", since_start(pipeline->dropped), "retried",
                     since_start(pipeline->retried), "unknown", since_start(pipeline->unknown),
                     "rejected", since_start(pipeline->rejected), "dead",
                     since_start(pipeline->dead), "released", since_start(pipeline->released),
                     "stale", since_start(pipeline->stale), "expired",
                     since_start(pipeline->expired), "pruned", since_start(pipeline->pruned));
}

static json_t *latency(const struct view_latency *latency)
{
    return json_pack("{s:o, s:o, s:o}", "p50", seconds(latency->p50), "p90", seconds(latency->p90),
                     "p99", seconds(latency->p99));
}

static json_t *latencies(const struct view_pipeline *pipeline)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "e2e", latency(&pipeline->e2e), "publish",
                     latency(&pipeline->publish), "claim", latency(&pipeline->claim), "settle",
                     latency(&pipeline->settle));
}

static json_t *estimated(uint32_t flags)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } figures[] = {
        {OUTBOX_ESTIMATED_PENDING, "pending"},
        {OUTBOX_ESTIMATED_DELIVERED, "delivered"},
        {OUTBOX_ESTIMATED_DEAD, "dead"},
    };
    json_t *names = json_array();

    for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++)
        if ((flags & figures[i].flag) && !append(names, json_string(figures[i].name))) {
            json_decref(names);
            return NULL;
        }
    return names;
}

static json_t *table(const struct view_pipeline *pipeline)
{
    const struct outbox_store_stats *stats = &pipeline->table;
    double age = stats->oldest_age < 0 ? NAN : (double)stats->oldest_age / 1e6;

    if (!pipeline->counted)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "counted_ago",
                     seconds((double)pipeline->counted_ago / 1e9), "pending", count(stats->pending),
                     "scheduled", count(stats->scheduled), "delivering", count(stats->delivering),
                     "delivered", count(stats->delivered), "dead", count(stats->dead), "oldest_age",
                     seconds(age), "estimated", estimated(stats->estimated));
}

static json_t *dead_events(const struct view_pipeline *pipeline)
{
    json_t *events = json_array();

    for (size_t i = 0; i < pipeline->dead_count; i++) {
        const struct view_dead *dead = &pipeline->dead_events[i];
        if (!append(events,
                    json_pack("{s:f, s:o, s:o}", "at", (double)dead->at / 1e6, "id",
                              cli_json_text(dead->id), "reason", cli_json_text(dead->reason)))) {
            json_decref(events);
            return NULL;
        }
    }
    return events;
}

static json_t *counters(const struct view_pipeline *pipeline)
{
    json_t *all = json_array();

    for (size_t i = 0; i < pipeline->counter_count; i++) {
        const struct view_counter *counter = &pipeline->counters[i];
        if (!append(all, json_pack("{s:o, s:o, s:I}", "driver", cli_json_text(counter->driver),
                                   "counter", cli_json_text(counter->name), "value",
                                   (json_int_t)counter->value))) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

/* ---- The whole ---------------------------------------------------------------------------- */

static json_t *pipeline_figures(const struct view_pipeline *pipeline)
{
    return json_pack(
        "{s:o, s:o, s:o, s:s, s:I, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "name", cli_json_text(pipeline->name), "store", cli_json_text(pipeline->store), "publisher",
        cli_json_text(pipeline->publisher), "mode", pipeline->mode, "workers",
        (json_int_t)pipeline->workers, "state", state_name(pipeline->state), "ready",
        pipeline->cause_count == 0, "causes", figures_causes(pipeline), "in_flight",
        since_start(pipeline->in_flight), "delivered_rate", seconds(pipeline->delivered_rate),
        "failed_rate", seconds(pipeline->failed_rate), "totals", totals(pipeline), "latency",
        latencies(pipeline), "table", table(pipeline), "holders", holders_json(&pipeline->holders),
        "dead_events", dead_events(pipeline), "counters", counters(pipeline));
}

static json_t *pipelines(const struct view *view)
{
    json_t *list = json_array();

    for (size_t i = 0; i < view->pipeline_count; i++)
        if (!append(list, pipeline_figures(&view->pipelines[i]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

char *figures_all(const struct view *view)
{
    json_t *document = json_pack(
        "{s:o, s:s, s:I, s:f, s:f, s:b, s:b, s:o, s:o}", "relay_id", cli_json_text(view->relay_id),
        "version", view->version, "pid", (json_int_t)view->pid, "uptime",
        (double)view->uptime / 1e9, "taken_at", (double)view->taken_at / 1e6, "alive", view->alive,
        "ready", view->ready, "stuck", view->alive ? json_null() : cli_json_text(view->stuck),
        "pipelines", pipelines(view));
    char *text = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS)) : NULL;

    json_decref(document);
    return text;
}
