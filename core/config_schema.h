/*
 * config_schema.h - the keys of the configuration that are the core's own
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CONFIG_SCHEMA_H
#define CORE_CONFIG_SCHEMA_H

#include "checker.h"

/* What a later version brings: refused by name, and not on the reference page. */
struct later_key {
    const char *name;
    const char *value; /* NULL: the key altogether */
};

/* The keys of one object. Those in `children` hold objects that have a table of their own. */
struct config_section {
    const char *path; /* as on the reference page */
    const char *help; /* a sentence or two for that page */
    const struct outbox_option *options;
    size_t option_size; /* byte distance between options */
    size_t option_count;
    const char *const *children; /* ends in NULL; NULL: none */
    const struct later_key *later;
    size_t later_count;
};

enum config_section_id {
    SECTION_ROOT,
    SECTION_RELAY,
    SECTION_LOG,
    SECTION_HTTP,
    SECTION_PIPELINE,
    SECTION_CLAIM,
    SECTION_PUBLISH,
    SECTION_RETRY,
    SECTION_ORDER,
    SECTION_ROUTE,
    SECTION_ROUTE_RULE,
    SECTION_ROUTE_HEADERS,
    SECTION_ROUTE_CLOUDEVENTS,
    SECTION_MAINTENANCE,
    SECTION_MAINTENANCE_PARTITIONS,
    SECTION_TELEMETRY, /* this and what follows: config_schema_telemetry.c */
    SECTION_TELEMETRY_METRICS,
    SECTION_TELEMETRY_TRACES,
    SECTION_TELEMETRY_LOGS,
    SECTION_COUNT
};

/* Never NULL; of static lifetime. */
const struct config_section *config_section(enum config_section_id id);
const struct config_section *config_telemetry_section(enum config_section_id id);

/* Checks an object (NULL: left out, every key takes its default) against its section. Notes all its
 * mistakes. The settings, in the order of the options, live in checker->memory; NULL only when
 * there is no memory left. Look at checker->failed for whether they may be used. */
const struct outbox_settings *section_check(struct checker *checker, const struct json_path *path,
                                            const json_t *object,
                                            const struct config_section *section)
    __attribute__((warn_unused_result));

/* The child object `key` of `parent`; NULL if it is left out or, after a mistake, is none. */
const json_t *section_child(struct checker *checker, const struct json_path *parent_path,
                            const json_t *parent, const char *key);

/* Ends a mistake about a word: "; did you mean X?" or what there is. `words` ends in NULL. */
void section_hint(const char *wanted, const char *const *words, char *text, size_t size);

#endif
