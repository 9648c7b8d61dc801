/*
 * config_pipeline.c - one element of `pipelines`
 * SPDX-License-Identifier: MIT
 */
#include "config_pipeline.h"
#include "config_driver.h"
#include "config_route.h"
#include "config_schema.h"
#include "prune.h"
#include "units.h"

#include <string.h>

#define NAME_LIMIT 64

/* A pipeline being checked. */
struct draft {
    struct checker *checker;
    const struct json_path *path;
    const json_t *object;
    struct pipeline_config *pipeline;
};

struct claim_mode {
    uint32_t mode;
    uint64_t capability;
    const char *name;
};

static const struct claim_mode claim_modes[] = {
    {OUTBOX_MODE_LEASE, OUTBOX_STORE_LEASE, "lease"},
    {OUTBOX_MODE_HOLD, OUTBOX_STORE_HOLD, "hold"},
};

#define MODE_COUNT (sizeof claim_modes / sizeof claim_modes[0])

bool name_valid(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= NAME_LIMIT &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static const struct outbox_settings *child_settings(const struct draft *draft, const char *key,
                                                    enum config_section_id id)
{
    const struct json_path path = {draft->path, key, 0};
    const json_t *child = section_child(draft->checker, draft->path, draft->object, key);
    return section_check(draft->checker, &path, child, config_section(id));
}

static bool is_choice(const struct outbox_settings *settings, const char *name, const char *choice)
{
    return strcmp(outbox_setting_text(settings, name, ""), choice) == 0;
}

/* Notes a mistake unless low <= high. A value that is wrong by itself has been noted already. */
static void check_pair(const struct draft *draft, const char *section,
                       const struct outbox_settings *settings, const char *low, const char *high)
{
    const struct outbox_setting *least = outbox_setting_find(settings, low);
    const struct outbox_setting *most = outbox_setting_find(settings, high);
    if (!least || !most || least->integer <= most->integer)
        return;
    char found[UNITS_TEXT], limit[UNITS_TEXT];
    const struct json_path parent = {draft->path, section, 0}, path = {&parent, low, 0};
    (void)mistake(draft->checker, &path,
                  "found %s, allowed is at most %s.%s, which is %s: lower this or raise that",
                  duration_format(least->integer, found), section, high,
                  duration_format(most->integer, limit));
}

static uint32_t mode_of(const char *name)
{
    for (size_t i = 0; i < MODE_COUNT; i++) {
        if (strcmp(claim_modes[i].name, name) == 0)
            return claim_modes[i].mode;
    }
    return 0;
}

static void check_mode(const struct draft *draft)
{
    const struct outbox_plugin *store = draft->pipeline->store.plugin;
    char able[64] = "";
    const char *name = "";
    if (!store || draft->pipeline->mode == 0)
        return;
    for (size_t i = 0; i < MODE_COUNT; i++) {
        bool wanted = claim_modes[i].mode == draft->pipeline->mode;
        if (wanted)
            name = claim_modes[i].name;
        if (!(store->capabilities & claim_modes[i].capability))
            continue;
        if (wanted)
            return;
        list_append(able, sizeof able, claim_modes[i].name);
    }
    const struct json_path claim = {draft->path, "claim", 0}, path = {&claim, "mode", 0};
    (void)mistake(draft->checker, &path,
                  "found \"%s\", but the store driver %s can only claim by: %s", name, store->name,
                  *able ? able : "no mode of this version");
}

static void resolve_claim(const struct draft *draft)
{
    const struct outbox_settings *claim = child_settings(draft, "claim", SECTION_CLAIM);
    if (!claim)
        return;
    struct tunables *tunables = &draft->pipeline->tunables;
    draft->pipeline->mode = mode_of(outbox_setting_text(claim, "mode", ""));
    draft->pipeline->workers = (uint64_t)outbox_setting_integer(claim, "workers", 0);
    draft->pipeline->notify = outbox_setting_integer(claim, "notify", 0) != 0;
    tunables->batch_size = (uint64_t)outbox_setting_integer(claim, "batch_size", 0);
    tunables->lease = outbox_setting_integer(claim, "lease", 0);
    tunables->foreign_lease = outbox_setting_integer(claim, "foreign_lease", 0);
    tunables->poll_min = outbox_setting_integer(claim, "poll_min", 0);
    tunables->poll_max = outbox_setting_integer(claim, "poll_max", 0);
    check_pair(draft, "claim", claim, "poll_min", "poll_max");
    check_pair(draft, "claim", claim, "lease", "foreign_lease");
}

static void resolve_publish(const struct draft *draft)
{
    const struct outbox_settings *publish = child_settings(draft, "publish", SECTION_PUBLISH);
    if (!publish)
        return;
    struct tunables *tunables = &draft->pipeline->tunables;
    tunables->publish_timeout = outbox_setting_integer(publish, "timeout", 0);
    tunables->max_in_flight = (uint64_t)outbox_setting_integer(publish, "max_in_flight", 0);
    tunables->max_in_flight_bytes =
        (uint64_t)outbox_setting_integer(publish, "max_in_flight_bytes", 0);
    tunables->max_payload = (uint64_t)outbox_setting_integer(publish, "max_payload", 0);
}

static void resolve_retry(const struct draft *draft)
{
    const struct outbox_settings *retry = child_settings(draft, "retry", SECTION_RETRY);
    if (!retry)
        return;
    struct tunables *tunables = &draft->pipeline->tunables;
    tunables->max_attempts = outbox_setting_integer(retry, "max_attempts", 0);
    tunables->base_delay = outbox_setting_integer(retry, "base_delay", 0);
    tunables->max_delay = outbox_setting_integer(retry, "max_delay", 0);
    tunables->jitter = outbox_setting_number(retry, "jitter", 0);
    check_pair(draft, "retry", retry, "base_delay", "max_delay");
}

static void resolve_partitions(const struct draft *draft, const struct json_path *parent,
                               const json_t *maintenance)
{
    const json_t *object = section_child(draft->checker, parent, maintenance, "partitions");
    const struct json_path path = {parent, "partitions", 0};
    const struct outbox_settings *given = section_check(
        draft->checker, &path, object, config_section(SECTION_MAINTENANCE_PARTITIONS));
    const struct outbox_plugin *store = draft->pipeline->store.plugin;
    if (!given)
        return;
    draft->pipeline->tunables.maintenance.partitioning = (struct partitioning){
        .is_wanted = object != NULL,
        .period = is_choice(given, "period", "month") ? OUTBOX_PERIOD_MONTH : OUTBOX_PERIOD_DAY,
        .lookahead = outbox_setting_integer(given, "lookahead", 0),
        .retention = outbox_setting_integer(given, "retention", -1),
    };
    if (object && store && !store->store->partitions)
        (void)mistake(draft->checker, &path, "the store driver %s has no partitions: leave it out",
                      store->name);
}

static void resolve_maintenance(const struct draft *draft)
{
    const struct json_path path = {draft->path, "maintenance", 0};
    const json_t *object = section_child(draft->checker, draft->path, draft->object, "maintenance");
    const struct outbox_settings *given =
        section_check(draft->checker, &path, object, config_section(SECTION_MAINTENANCE));
    const struct outbox_plugin *store = draft->pipeline->store.plugin;
    if (!given)
        return;
    struct maintenance *maintenance = &draft->pipeline->tunables.maintenance;
    maintenance->delivered_age = outbox_setting_integer(given, "delivered_age", -1);
    maintenance->dead_age = outbox_setting_integer(given, "dead_age", -1);
    maintenance->every = outbox_setting_integer(given, "every", 0);
    maintenance->batch = (uint64_t)outbox_setting_integer(given, "batch", 0);
    if (store && !store->store->prune && prune_is_wanted(maintenance))
        (void)mistake(draft->checker, &path,
                      "the store driver %s cannot delete events: leave it out", store->name);
    resolve_partitions(draft, &path, object);
}

static bool resolve_route(const struct draft *draft)
{
    const struct json_path path = {draft->path, "route", 0};
    return route_check(draft->checker, &path,
                       section_child(draft->checker, draft->path, draft->object, "route"),
                       draft->pipeline);
}

/* Of these, this version has a single value for each key: there is nothing to keep. */
static bool check_fixed(const struct draft *draft)
{
    return child_settings(draft, "order", SECTION_ORDER);
}

static void resolve_own(const struct draft *draft)
{
    const struct outbox_settings *own =
        section_check(draft->checker, draft->path, draft->object, config_section(SECTION_PIPELINE));
    if (!own)
        return;
    const struct json_path path = {draft->path, "name", 0};
    draft->pipeline->name = outbox_setting_text(own, "name", NULL);
    draft->pipeline->delete_delivered = is_choice(own, "delivered", "delete");
    if (draft->pipeline->name && !name_valid(draft->pipeline->name))
        (void)mistake(draft->checker, &path,
                      "not a name, allowed is 1 to 64 letters, digits, '.', '_' and '-'");
}

static bool resolve_driver(const struct draft *draft, const char *key, uint32_t kind,
                           struct plugins *plugins, struct driver_config *driver)
{
    const struct json_path path = {draft->path, key, 0};
    if (!json_object_get(draft->object, key))
        return mistake(draft->checker, &path,
                       "missing; this key is required: an object with \"driver\" and the keys of "
                       "that driver");
    const json_t *child = section_child(draft->checker, draft->path, draft->object, key);
    return child && driver_check(draft->checker, &path, child, kind, plugins, driver);
}

bool pipeline_check(struct checker *checker, const struct json_path *path, const json_t *object,
                    struct plugins *plugins, struct pipeline_config *pipeline)
{
    const struct draft draft = {checker, path, object, pipeline};
    pipeline->index = path->index;
    resolve_own(&draft);
    bool ok = resolve_driver(&draft, "store", OUTBOX_KIND_STORE, plugins, &pipeline->store);
    ok &= resolve_driver(&draft, "publisher", OUTBOX_KIND_PUBLISHER, plugins, &pipeline->publisher);
    resolve_claim(&draft);
    check_mode(&draft);
    resolve_publish(&draft);
    resolve_retry(&draft);
    resolve_maintenance(&draft);
    ok &= check_fixed(&draft);
    ok &= resolve_route(&draft);
    return ok && !checker->failed;
}
