/*
 * route.h - where an event goes and as what: rules, templates and formats, compiled
 * SPDX-License-Identifier: MIT
 *
 * Made once from the configuration (config_route.c); never changes, any thread.
 */
#ifndef CORE_ROUTE_H
#define CORE_ROUTE_H

#include "template.h"

#include <outbox/publisher.h>

struct named_template {
    struct outbox_slice name;
    struct template template;
};

/* A condition of a rule: a field of the event fits a pattern. A field that is missing never does.
 */
struct route_match {
    struct event_field field;
    struct outbox_slice pattern;
};

struct destination {
    struct template topic, key;
    const struct named_template *properties;
    size_t property_count;
};

/* The first rule of which every condition holds decides. */
struct route_rule {
    const struct route_match *matches;
    size_t match_count;
    bool drop; /* the event goes nowhere and counts as delivered */
    struct destination destination;
};

/* What becomes of the event's headers and the relay's own, in this order. */
struct header_plan {
    const struct outbox_pair *drops; /* patterns, in `value` */
    size_t drop_count;
    const struct outbox_pair *renames; /* old name, new name */
    size_t rename_count;
    struct outbox_slice prefix;        /* before every name that was not renamed */
    const struct named_template *sets; /* added, or put in the place of one of that name */
    size_t set_count;
};

enum route_format { FORMAT_RAW, FORMAT_CLOUDEVENTS, FORMAT_CLOUDEVENTS_STRUCTURED };

struct cloudevents_plan {
    struct template source, subject;
    struct outbox_slice content_type; /* of payloads without a header content-type */
};

struct route {
    const char *pipeline;
    const char *text; /* as the file has it, in an order of its own: to see whether it changed */
    const struct route_rule *rules;
    size_t rule_count;
    struct destination otherwise; /* of events that no rule matches */
    struct header_plan headers;
    enum route_format format;
    struct cloudevents_plan cloudevents;
};

/* The rule that decides over the event, NULL if none does: then `otherwise` holds. False if memory
 * ran out. */
bool route_find(const struct route *route, const struct event_source *source, struct arena *arena,
                const struct route_rule **rule) __attribute__((warn_unused_result));

/* The destinations that are the same for every event, as messages with topic and properties in
 * `arena`. False if memory ran out. */
bool route_known_destinations(const struct route *route, struct arena *arena,
                              struct outbox_message **messages, uint64_t *count)
    __attribute__((warn_unused_result));

#endif
