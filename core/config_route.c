/*
 * config_route.c - the `route` object of a pipeline, compiled
 * SPDX-License-Identifier: MIT
 */
#include "config_route.h"

#include "config_schema.h"
#include "header_plan.h"
#include "plugins.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 64 /* properties of a publisher that a hint can tell */

/* A route being made. */
struct draft {
    struct checker *checker;
    const struct json_path *path; /* of `route` */
    const struct outbox_plugin *publisher;
    struct route *route;
};

/* ---- Templates ---------------------------------------------------------------------------- */

static bool compile(const struct draft *draft, const struct json_path *path, const char *text,
                    struct template *template)
{
    char why[TEMPLATE_WHY];
    const char *wrong = template_compile(draft->checker->memory, text, template, why);
    return wrong ? mistake(draft->checker, path, "%s", wrong) : true;
}

/* The key of a section; one that is not set leaves `template` as it is. */
static bool compile_key(const struct draft *draft, const struct json_path *path,
                        const struct outbox_settings *settings, const char *key,
                        struct template *template)
{
    const struct json_path key_path = {path, key, 0};
    const char *text = outbox_setting_text(settings, key, NULL);
    return text ? compile(draft, &key_path, text, template) : true;
}

/* The same for a text that no event can do without. */
static bool compile_needed(const struct draft *draft, const struct json_path *path,
                           const struct outbox_settings *settings, const char *key,
                           struct template *template)
{
    const struct json_path key_path = {path, key, 0};
    const char *text = outbox_setting_text(settings, key, NULL);
    if (text && !*text)
        return mistake(draft->checker, &key_path, "is empty; allowed is a template with a text");
    return compile_key(draft, path, settings, key, template);
}

static bool compile_map(const struct draft *draft, const struct json_path *path,
                        const struct outbox_setting *map, struct named_template *templates)
{
    bool ok = true;
    for (uint64_t i = 0; i < map->pair_count; i++) {
        const struct json_path entry = {path, map->pairs[i].name.data, 0};
        templates[i].name = map->pairs[i].name;
        ok &= compile(draft, &entry, map->pairs[i].value.data, &templates[i].template);
    }
    return ok;
}

/* ---- Destinations ------------------------------------------------------------------------- */

static bool check_property(const struct draft *draft, const struct json_path *path,
                           const char *name)
{
    const struct outbox_plugin *plugin = draft->publisher;
    const char *names[NAMES_MAX + 1];
    char hint[512];
    size_t count = 0;
    for (uint64_t i = 0; i < plugin->property_count; i++) {
        const struct outbox_option *property = plugin_property(plugin, i);
        if (strcmp(property->name, name) == 0)
            return true;
        if (count < NAMES_MAX)
            names[count++] = property->name;
    }
    names[count] = NULL;
    section_hint(name, names, hint, sizeof hint);
    return mistake(draft->checker, path, "the publisher %s has no such property of a message%s",
                   plugin->name, hint);
}

static bool is_same_name(struct outbox_slice a, struct outbox_slice b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* The properties of `base` that `own` does not name, behind those that it does. */
static size_t inherit(struct named_template *own, size_t count, const struct destination *base)
{
    size_t named = count;
    for (size_t i = 0; i < base->property_count; i++) {
        bool found = false;
        for (size_t j = 0; j < named; j++)
            found = found || is_same_name(own[j].name, base->properties[i].name);
        if (!found)
            own[count++] = base->properties[i];
    }
    return count;
}

static bool make_properties(const struct draft *draft, const struct json_path *path,
                            const struct outbox_settings *settings, const struct destination *base,
                            struct destination *destination)
{
    const struct outbox_setting *map = outbox_setting_find(settings, "properties");
    const struct json_path map_path = {path, "properties", 0};
    size_t own = map ? map->pair_count : 0;
    bool ok = true;
    struct named_template *properties =
        config_memory_take(draft->checker->memory, own + base->property_count, sizeof *properties);
    if (!properties)
        return mistake_no_memory(draft->checker);
    for (size_t i = 0; i < own && draft->publisher; i++) {
        const struct json_path entry = {&map_path, map->pairs[i].name.data, 0};
        ok &= check_property(draft, &entry, map->pairs[i].name.data);
    }
    if (map)
        ok &= compile_map(draft, &map_path, map, properties);
    destination->properties = properties;
    destination->property_count = inherit(properties, own, base);
    return ok;
}

/* What the section leaves out is that of `base`. */
static bool make_destination(const struct draft *draft, const struct json_path *path,
                             const struct outbox_settings *settings, const struct destination *base,
                             struct destination *destination)
{
    *destination = *base;
    bool ok = compile_needed(draft, path, settings, "topic", &destination->topic);
    ok &= compile_key(draft, path, settings, "key", &destination->key);
    ok &= make_properties(draft, path, settings, base, destination);
    return ok;
}

/* ---- Rules -------------------------------------------------------------------------------- */

static bool make_matches(const struct draft *draft, const struct json_path *path,
                         const struct outbox_setting *map, struct route_rule *rule)
{
    bool ok = true;
    const struct json_path map_path = {path, "match", 0};
    struct route_match *matches =
        config_memory_take(draft->checker->memory, map->pair_count, sizeof *matches);
    if (!matches)
        return mistake_no_memory(draft->checker);
    if (map->pair_count == 0)
        ok = mistake(draft->checker, &map_path,
                     "is empty; allowed is at least one field and its pattern, {\"type\": \"*\"} "
                     "for every event");
    for (uint64_t i = 0; i < map->pair_count; i++) {
        const struct json_path entry = {&map_path, map->pairs[i].name.data, 0};
        matches[i].pattern = map->pairs[i].value;
        if (!event_field_parse(map->pairs[i].name, &matches[i].field))
            ok = mistake(draft->checker, &entry, "no field of an event; allowed is %s",
                         event_field_list);
    }
    rule->matches = matches;
    rule->match_count = map->pair_count;
    return ok;
}

static bool make_rule(const struct draft *draft, const struct json_path *path, const json_t *object,
                      struct route_rule *rule)
{
    char found[72];
    if (!json_is_object(object))
        return mistake(draft->checker, path, "found %s, allowed is an object",
                       json_describe(object, false, found, sizeof found));
    const struct outbox_settings *settings =
        section_check(draft->checker, path, object, config_section(SECTION_ROUTE_RULE));
    if (!settings)
        return false;
    rule->drop = outbox_setting_integer(settings, "drop", 0) != 0;
    const struct outbox_setting *match = outbox_setting_find(settings, "match");
    bool ok = match && make_matches(draft, path, match, rule);
    ok &= make_destination(draft, path, settings, &draft->route->otherwise, &rule->destination);
    if (rule->drop && (json_object_get(object, "topic") || json_object_get(object, "key") ||
                       json_object_get(object, "properties")))
        ok = mistake(draft->checker, path,
                     "drops its events, so it cannot have topic, key or properties: leave out "
                     "these or \"drop\"");
    return ok;
}

static bool make_rules(const struct draft *draft, const json_t *object)
{
    const struct json_path path = {draft->path, "rules", 0};
    const json_t *list = json_object_get(object, "rules");
    char found[72];
    bool ok = true;
    if (!list)
        return true;
    if (!json_is_array(list))
        return mistake(draft->checker, &path, "found %s, allowed is an array of objects",
                       json_describe(list, false, found, sizeof found));
    size_t count = json_array_size(list);
    struct route_rule *rules = config_memory_take(draft->checker->memory, count, sizeof *rules);
    if (!rules)
        return mistake_no_memory(draft->checker);
    for (size_t i = 0; i < count; i++) {
        const struct json_path rule_path = {&path, NULL, i};
        ok &= make_rule(draft, &rule_path, json_array_get(list, i), &rules[i]);
    }
    draft->route->rules = rules;
    draft->route->rule_count = count;
    return ok;
}

/* ---- Headers and formats ------------------------------------------------------------------ */

/* A name that the configuration gives a header. */
static bool check_name(const struct draft *draft, const struct json_path *path,
                       struct outbox_slice name)
{
    if (name.len == 0)
        return mistake(draft->checker, path, "the name is empty; allowed is that of a header");
    if (draft->route->format != FORMAT_RAW && header_is(name, "content-type"))
        return mistake(draft->checker, path,
                       "the format has a place of its own for \"content-type\": it is that of the "
                       "event, else route.cloudevents.content_type");
    return true;
}

static bool check_renames(const struct draft *draft, const struct json_path *path,
                          const struct outbox_pair *pairs, uint64_t count)
{
    bool ok = true;
    for (uint64_t i = 0; i < count; i++) {
        const struct json_path entry = {path, pairs[i].name.data, 0};
        ok &= check_name(draft, &entry, pairs[i].value);
        for (uint64_t j = 0; j < i; j++)
            if (is_same_name(pairs[i].value, pairs[j].value))
                ok = mistake(draft->checker, &entry, "\"%s\" is the new name of \"%s\" already",
                             pairs[i].value.data, pairs[j].name.data);
    }
    return ok;
}

static bool make_headers(const struct draft *draft, const json_t *object)
{
    const struct json_path path = {draft->path, "headers", 0}, set_path = {&path, "set", 0},
                           rename_path = {&path, "rename", 0};
    const struct outbox_settings *settings = section_check(
        draft->checker, &path, section_child(draft->checker, draft->path, object, "headers"),
        config_section(SECTION_ROUTE_HEADERS));
    struct header_plan *plan = &draft->route->headers;
    bool ok = true;
    if (!settings)
        return false;
    const struct outbox_setting *drop = outbox_setting_find(settings, "drop");
    const struct outbox_setting *rename = outbox_setting_find(settings, "rename");
    const struct outbox_setting *set = outbox_setting_find(settings, "set");
    plan->prefix = outbox_slice_of(outbox_setting_text(settings, "prefix", ""));
    plan->drops = drop ? drop->pairs : NULL;
    plan->drop_count = drop ? drop->pair_count : 0;
    if (rename) {
        plan->renames = rename->pairs;
        plan->rename_count = rename->pair_count;
        ok &= check_renames(draft, &rename_path, rename->pairs, rename->pair_count);
    }
    if (!set)
        return ok;
    struct named_template *sets =
        config_memory_take(draft->checker->memory, set->pair_count, sizeof *sets);
    if (!sets)
        return mistake_no_memory(draft->checker);
    plan->sets = sets;
    plan->set_count = set->pair_count;
    for (uint64_t i = 0; i < set->pair_count; i++) {
        const struct json_path entry = {&set_path, set->pairs[i].name.data, 0};
        ok &= check_name(draft, &entry, set->pairs[i].name);
    }
    return compile_map(draft, &set_path, set, sets) && ok;
}

static bool make_format(const struct draft *draft, const struct outbox_settings *settings)
{
    const char *name = outbox_setting_text(settings, "format", "raw");
    const struct json_path path = {draft->path, "format", 0};
    draft->route->format = FORMAT_RAW;
    if (strcmp(name, "raw") == 0)
        return true;
    if (strcmp(name, "cloudevents-structured") == 0) {
        draft->route->format = FORMAT_CLOUDEVENTS_STRUCTURED;
        return true;
    }
    draft->route->format = FORMAT_CLOUDEVENTS;
    if (!draft->publisher || (draft->publisher->capabilities & OUTBOX_PUBLISHER_ATTRIBUTES))
        return true;
    return mistake(draft->checker, &path,
                   "found \"%s\", but the publisher %s has no place for attributes; allowed is raw "
                   "or cloudevents-structured",
                   name, draft->publisher->name);
}

static bool make_cloudevents(const struct draft *draft, const json_t *object)
{
    const struct json_path path = {draft->path, "cloudevents", 0};
    const struct outbox_settings *settings = section_check(
        draft->checker, &path, section_child(draft->checker, draft->path, object, "cloudevents"),
        config_section(SECTION_ROUTE_CLOUDEVENTS));
    struct cloudevents_plan *plan = &draft->route->cloudevents;
    if (!settings)
        return false;
    plan->content_type = outbox_slice_of(outbox_setting_text(settings, "content_type", ""));
    bool ok = compile_needed(draft, &path, settings, "source", &plan->source);
    return compile_key(draft, &path, settings, "subject", &plan->subject) && ok;
}

/* ---- All of it ---------------------------------------------------------------------------- */

/* The object as it stands, to tell later whether it has changed. */
static bool keep_text(const struct draft *draft, const json_t *object)
{
    char *text = object ? json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    const char *kept = text ? text : "{}";
    draft->route->text = config_memory_copy(draft->checker->memory, kept, strlen(kept));
    free(text);
    return draft->route->text ? true : mistake_no_memory(draft->checker);
}

bool route_check(struct checker *checker, const struct json_path *path, const json_t *object,
                 struct pipeline_config *pipeline)
{
    const struct destination nothing = {0};
    struct route *route = config_memory_take(checker->memory, 1, sizeof *route);
    if (!route)
        return mistake_no_memory(checker);
    const struct draft draft = {checker, path, pipeline->publisher.plugin, route};
    const struct outbox_settings *settings =
        section_check(checker, path, object, config_section(SECTION_ROUTE));
    if (!settings)
        return false;
    route->pipeline = pipeline->name ? pipeline->name : "";
    pipeline->route = route;
    bool ok = make_destination(&draft, path, settings, &nothing, &route->otherwise);
    ok &= make_rules(&draft, object);
    ok &= make_format(&draft, settings);
    ok &= make_headers(&draft, object);
    ok &= make_cloudevents(&draft, object);
    ok &= keep_text(&draft, object);
    return ok;
}
