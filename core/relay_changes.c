/*
 * relay_changes.c - what a configuration that was read again cannot change
 * SPDX-License-Identifier: MIT
 */
#include "relay_changes.h"

#include "log.h"
#include "route.h"

#include <stdio.h>
#include <string.h>

static const struct pipeline_config *find_pipeline(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->pipeline_count; i++)
        if (strcmp(config->pipelines[i].name, name) == 0)
            return &config->pipelines[i];
    return NULL;
}

static void log_key(const char *pipeline, const char *key)
{
    log_line(OUTBOX_LOG_WARN, "a changed key applies at the next start only",
             FIELD("pipeline", pipeline), FIELD("key", key));
}

static void compare(bool differs, const char *pipeline, const char *key)
{
    if (differs)
        log_key(pipeline, key);
}

/* ---- Drivers ------------------------------------------------------------------------------ */

static bool text_differs(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) != 0 : a != b;
}

static bool slice_differs(struct outbox_slice a, struct outbox_slice b)
{
    return a.len != b.len || (a.len > 0 && memcmp(a.data, b.data, a.len) != 0);
}

static bool pairs_differ(const struct outbox_setting *a, const struct outbox_setting *b)
{
    if (a->pair_count != b->pair_count)
        return true;
    for (uint64_t i = 0; i < a->pair_count; i++)
        if (slice_differs(a->pairs[i].name, b->pairs[i].name) ||
            slice_differs(a->pairs[i].value, b->pairs[i].value))
            return true;
    return false;
}

static bool setting_differs(const struct outbox_setting *a, const struct outbox_setting *b)
{
    if (!a || !b)
        return a != b;
    return text_differs(a->text, b->text) || a->integer != b->integer || a->number > b->number ||
           a->number < b->number || pairs_differ(a, b);
}

static void compare_drivers(const char *pipeline, const char *side,
                            const struct driver_config *running, const struct driver_config *fresh)
{
    char key[256];
    const struct outbox_settings *settings = &fresh->settings;

    if (strcmp(running->plugin->name, fresh->plugin->name) != 0) {
        (void)snprintf(key, sizeof(key), "%s.driver", side);
        log_key(pipeline, key);
        return; /* another driver has other keys */
    }
    for (uint64_t i = 0; i < settings->count; i++) {
        const struct outbox_setting *value =
            (const struct outbox_setting *)(const void *)((const char *)settings->values +
                                                          i * settings->value_size);
        (void)snprintf(key, sizeof(key), "%s.%s", side, value->name);
        compare(setting_differs(outbox_setting_find(&running->settings, value->name),
                                outbox_setting_find(settings, value->name)),
                pipeline, key);
    }
}

/* ---- Pipelines ---------------------------------------------------------------------------- */

static void compare_pipelines(const struct pipeline_config *running,
                              const struct pipeline_config *fresh)
{
    const char *name = running->name;

    compare(running->mode != fresh->mode, name, "claim.mode");
    compare(running->workers != fresh->workers, name, "claim.workers");
    compare(running->notify != fresh->notify, name, "claim.notify");
    compare(running->delete_delivered != fresh->delete_delivered, name, "delivered");
    compare(strcmp(running->route->text, fresh->route->text) != 0, name, "route");
    compare_drivers(name, "store", &running->store, &fresh->store);
    compare_drivers(name, "publisher", &running->publisher, &fresh->publisher);
}

/* ---- Telemetry ---------------------------------------------------------------------------- */

static bool lists_differ(const struct outbox_pair *a, uint64_t a_count, const struct outbox_pair *b,
                         uint64_t b_count)
{
    const struct outbox_setting running = {.pairs = a, .pair_count = a_count};
    const struct outbox_setting fresh = {.pairs = b, .pair_count = b_count};
    return pairs_differ(&running, &fresh);
}

static void compare_key(bool differs, const char *section, const char *key)
{
    char path[96];

    (void)snprintf(path, sizeof(path), "%s.%s", section, key);
    if (differs)
        log_line(OUTBOX_LOG_WARN, "a changed key applies at the next start only",
                 FIELD("key", path));
}

static void compare_signals(const char *section, const struct signal_settings *running,
                            const struct signal_settings *fresh)
{
    compare_key(text_differs(running->endpoint, fresh->endpoint), section, "endpoint");
    if (!running->endpoint || !fresh->endpoint)
        return; /* of what is not sent, nothing else is known */
    compare_key(running->is_json != fresh->is_json, section, "protocol");
    compare_key(running->is_gzip != fresh->is_gzip, section, "compression");
    compare_key(running->timeout != fresh->timeout, section, "timeout");
    compare_key(text_differs(running->certificate, fresh->certificate), section, "certificate");
    compare_key(text_differs(running->client_certificate, fresh->client_certificate), section,
                "client_certificate");
    compare_key(text_differs(running->client_key, fresh->client_key), section, "client_key");
    compare_key(
        lists_differ(running->headers, running->header_count, fresh->headers, fresh->header_count),
        section, "headers");
    compare_key(running->delay != fresh->delay, section,
                running->queue_size > 0 ? "delay" : "interval");
    compare_key(running->patience != fresh->patience, section, "patience");
    compare_key(running->queue_size != fresh->queue_size, section, "queue_size");
    compare_key(running->batch_size != fresh->batch_size, section, "batch_size");
}

static void compare_telemetry(const struct telemetry_settings *running,
                              const struct telemetry_settings *fresh)
{
    const struct telemetry_sampler *a = &running->sampler, *b = &fresh->sampler;

    compare_signals("telemetry.metrics", &running->signals[SIGNAL_METRICS],
                    &fresh->signals[SIGNAL_METRICS]);
    compare_signals("telemetry.traces", &running->signals[SIGNAL_TRACES],
                    &fresh->signals[SIGNAL_TRACES]);
    compare_signals("telemetry.logs", &running->signals[SIGNAL_LOGS], &fresh->signals[SIGNAL_LOGS]);
    compare_key(a->is_parent_based != b->is_parent_based || a->ratio < b->ratio ||
                    a->ratio > b->ratio,
                "telemetry.traces", "sampler");
    compare_key(running->processor_share < fresh->processor_share ||
                    running->processor_share > fresh->processor_share,
                "telemetry", "processor_share");
    compare_key(text_differs(running->service_name, fresh->service_name), "telemetry",
                "service_name");
    compare_key(lists_differ(running->attributes, running->attribute_count, fresh->attributes,
                             fresh->attribute_count),
                "telemetry", "resource_attributes");
}

/* ---- HTTP --------------------------------------------------------------------------------- */

static void compare_http(const struct config *running, const struct config *fresh)
{
    compare_key(text_differs(running->http_listen, fresh->http_listen), "http", "listen");
    compare_key(running->stall_after != fresh->stall_after, "http", "stall_after");
}

void relay_changes_log(const struct config *running, const struct config *fresh)
{
    if (running->shutdown_timeout != fresh->shutdown_timeout)
        log_line(OUTBOX_LOG_WARN, "a changed key applies at the next start only",
                 FIELD("key", "relay.shutdown_timeout"));
    compare_telemetry(&running->telemetry, &fresh->telemetry);
    compare_http(running, fresh);
    for (size_t i = 0; i < running->pipeline_count; i++) {
        const struct pipeline_config *pipeline = &running->pipelines[i];
        const struct pipeline_config *other = find_pipeline(fresh, pipeline->name);
        if (other)
            compare_pipelines(pipeline, other);
        else
            log_line(OUTBOX_LOG_WARN,
                     "a pipeline that the configuration no longer has ends at the next start only",
                     FIELD("pipeline", pipeline->name));
    }
    for (size_t i = 0; i < fresh->pipeline_count; i++)
        if (!find_pipeline(running, fresh->pipelines[i].name))
            log_line(OUTBOX_LOG_WARN, "a new pipeline begins at the next start only",
                     FIELD("pipeline", fresh->pipelines[i].name));
}
