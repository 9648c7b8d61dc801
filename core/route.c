/*
 * route.c - where an event goes and as what: rules, templates and formats, compiled
 * SPDX-License-Identifier: MIT
 */
#include "route.h"

#include "glob.h"

/* 1: every condition holds, 0: not, -1: out of memory. */
static int rule_holds(const struct route_rule *rule, const struct event_source *source,
                      struct arena *arena)
{
    for (size_t i = 0; i < rule->match_count; i++) {
        struct outbox_slice value;
        if (!event_field_get(&rule->matches[i].field, source, arena, &value))
            return -1;
        if (!value.data || !glob_matches(rule->matches[i].pattern, value))
            return 0;
    }
    return 1;
}

bool route_find(const struct route *route, const struct event_source *source, struct arena *arena,
                const struct route_rule **rule)
{
    *rule = NULL;
    for (size_t i = 0; i < route->rule_count; i++) {
        int holds = rule_holds(&route->rules[i], source, arena);
        if (holds < 0)
            return false;
        if (holds > 0) {
            *rule = &route->rules[i];
            return true;
        }
    }
    return true;
}

/* ---- What is known without an event ------------------------------------------------------- */

static bool is_constant(const struct destination *destination)
{
    bool constant = template_is_constant(&destination->topic);

    for (size_t i = 0; i < destination->property_count; i++)
        constant = constant && template_is_constant(&destination->properties[i].template);
    return constant;
}

static bool make_known(const struct destination *destination, struct arena *arena,
                       struct outbox_message *message)
{
    static const struct outbox_event no_event = {.id = {NULL, 0}};
    const struct event_source source = {.event = &no_event, .pipeline = ""};
    const struct event_field *missing;
    struct outbox_pair *pairs =
        arena_alloc(arena, destination->property_count * sizeof(struct outbox_pair));

    if (!pairs)
        return false;
    *message = (struct outbox_message){.properties = pairs};
    for (; message->property_count < destination->property_count; message->property_count++) {
        const struct named_template *property = &destination->properties[message->property_count];
        pairs[message->property_count].name = property->name;
        if (template_render(&property->template, &source, arena,
                            &pairs[message->property_count].value, &missing) != TEMPLATE_OK)
            return false;
    }
    return template_render(&destination->topic, &source, arena, &message->topic, &missing) ==
           TEMPLATE_OK;
}

bool route_known_destinations(const struct route *route, struct arena *arena,
                              struct outbox_message **messages, uint64_t *count)
{
    *count = 0;
    *messages = arena_alloc(arena, (route->rule_count + 1) * sizeof(**messages));
    if (!*messages)
        return false;
    for (size_t i = 0; i <= route->rule_count; i++) {
        const struct route_rule *rule = i < route->rule_count ? &route->rules[i] : NULL;
        const struct destination *destination = rule ? &rule->destination : &route->otherwise;
        if ((rule && rule->drop) || !is_constant(destination))
            continue;
        if (!make_known(destination, arena, &(*messages)[*count]))
            return false;
        ++*count;
    }
    return true;
}
