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

static void compare_http(const struct config *running, const struct config *fresh)
{
    if (text_differs(running->http_listen, fresh->http_listen))
        log_line(OUTBOX_LOG_WARN, "a changed key applies at the next start only",
                 FIELD("key", "http.listen"));
    if (running->stall_after != fresh->stall_after)
        log_line(OUTBOX_LOG_WARN, "a changed key applies at the next start only",
                 FIELD("key", "http.stall_after"));
}

void relay_changes_log(const struct config *running, const struct config *fresh)
{
    if (running->shutdown_timeout != fresh->shutdown_timeout)
        log_line(OUTBOX_LOG_WARN, "a changed key applies at the next start only",
                 FIELD("key", "relay.shutdown_timeout"));
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
