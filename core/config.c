/*
 * config.c - the configuration file, checked and resolved
 * SPDX-License-Identifier: MIT
 */
#include "config.h"
#include "config_http.h"
#include "config_pipeline.h"
#include "config_read.h"
#include "config_schema.h"
#include "config_telemetry.h"
#include "log.h"
#include "plugins.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define HINT_TEXT 544

/* Leaves room for the process id and the random part within the 64 bytes of a relay's id. */
#define HOST_LIMIT 40

static const char *const log_levels[] = {"error", "warn", "info", "debug"};
static const char *const log_formats[] = {"auto", "text", "json"};

static uint32_t index_of(const char *const *words, size_t count, const char *word)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0)
            return i;
    }
    return 0;
}

static const char *relay_id_make(struct checker *checker)
{
    char host[HOST_LIMIT + 1] = "", id[96];
    uint32_t part = 0;
    /* A name that does not fit is cut, which gethostname() reports as a failure. */
    if (gethostname(host, HOST_LIMIT) != 0 && !*host)
        (void)snprintf(host, sizeof host, "relay");
    host[HOST_LIMIT] = '\0';
    for (char *at = host; *at; at++) {
        const char letter[2] = {*at, '\0'};
        if (!name_valid(letter))
            *at = '-';
    }
    if (getrandom(&part, sizeof part, 0) != (ssize_t)sizeof part) {
        (void)mistake(checker, NULL, "relay.id: no random bytes to make one from; write an id");
        return NULL;
    }
    (void)snprintf(id, sizeof id, "%s-%ld-%08x", host, (long)getpid(), part);
    const char *copy = config_memory_copy(checker->memory, id, strlen(id));
    if (!copy)
        (void)mistake_no_memory(checker);
    return copy;
}

static void add_folders(struct checker *checker, const struct json_path *path,
                        const struct outbox_setting *folders, struct plugins *plugins)
{
    for (uint64_t i = 0; folders && i < folders->pair_count; i++) {
        const char *folder = folders->pairs[i].value.data;
        const struct json_path list = {path, "plugin_path", 0}, one = {&list, NULL, i};
        if (!*folder) {
            (void)mistake(checker, &one, "found \"\", allowed is the path of a folder");
            continue;
        }
        if (access(folder, X_OK) != 0)
            log_line(OUTBOX_LOG_WARN, "a folder of relay.plugin_path cannot be searched",
                     FIELD("folder", folder), FIELD("error", strerror(errno)));
        plugins_add_folder(plugins, folder);
    }
}

static void resolve_relay(struct checker *checker, const json_t *document, struct plugins *plugins,
                          struct config *config)
{
    const struct json_path path = {NULL, "relay", 0}, id_path = {&path, "id", 0};
    const json_t *object = section_child(checker, NULL, document, "relay");
    const struct outbox_settings *relay =
        section_check(checker, &path, object, config_section(SECTION_RELAY));
    if (!relay)
        return;
    add_folders(checker, &path, outbox_setting_find(relay, "plugin_path"), plugins);
    config->shutdown_timeout = outbox_setting_integer(relay, "shutdown_timeout", 0);
    config->relay_id = outbox_setting_text(relay, "id", "auto");
    if (strcmp(config->relay_id, "auto") == 0)
        config->relay_id = relay_id_make(checker);
    else if (!name_valid(config->relay_id))
        (void)mistake(
            checker, &id_path,
            "not an id, allowed is \"auto\" or 1 to 64 letters, digits, '.', '_' and '-'");
}

static void resolve_log(struct checker *checker, const json_t *document, struct config *config)
{
    const struct json_path path = {NULL, "log", 0};
    const json_t *object = section_child(checker, NULL, document, "log");
    const struct outbox_settings *settings =
        section_check(checker, &path, object, config_section(SECTION_LOG));
    if (!settings)
        return;
    config->log_level = index_of(log_levels, sizeof log_levels / sizeof log_levels[0],
                                 outbox_setting_text(settings, "level", ""));
    config->log_format =
        (enum log_format)index_of(log_formats, sizeof log_formats / sizeof log_formats[0],
                                  outbox_setting_text(settings, "format", ""));
}

static void check_unique(struct checker *checker, const struct config *config, size_t index,
                         const struct json_path *path)
{
    const char *name = config->pipelines[index].name;
    const struct json_path name_path = {path, "name", 0};
    for (size_t i = 0; name && i < index; i++) {
        const char *other = config->pipelines[i].name;
        if (!other || strcmp(other, name) != 0)
            continue;
        (void)mistake(checker, &name_path,
                      "found \"%s\", which is the name of pipelines[%zu] already", name, i);
        return;
    }
}

static void resolve_pipeline(struct checker *checker, const json_t *object, size_t index,
                             struct plugins *plugins, struct config *config)
{
    const struct json_path list = {NULL, "pipelines", 0}, path = {&list, NULL, index};
    char found[72];
    if (!json_is_object(object)) {
        (void)mistake(checker, &path, "found %s, allowed is an object",
                      json_describe(object, false, found, sizeof found));
        return;
    }
    if (!pipeline_check(checker, &path, object, plugins, &config->pipelines[index]))
        checker->failed = true;
    check_unique(checker, config, index, &path);
}

static void resolve_pipelines(struct checker *checker, const json_t *document,
                              struct plugins *plugins, struct config *config)
{
    const struct json_path path = {NULL, "pipelines", 0};
    const json_t *list = json_object_get(document, "pipelines");
    char found[72];
    if (!list)
        (void)mistake(checker, &path, "missing; this key is required: an array of pipelines");
    else if (!json_is_array(list))
        (void)mistake(checker, &path, "found %s, allowed is an array of pipelines",
                      json_describe(list, false, found, sizeof found));
    else if (json_array_size(list) == 0)
        (void)mistake(checker, &path, "found no pipeline, allowed is at least one");
    if (!list || !json_is_array(list))
        return;
    config->pipelines =
        config_memory_take(checker->memory, json_array_size(list), sizeof *config->pipelines);
    if (!config->pipelines) {
        (void)mistake_no_memory(checker);
        return;
    }
    config->pipeline_count = json_array_size(list);
    for (size_t i = 0; i < config->pipeline_count; i++)
        resolve_pipeline(checker, json_array_get(list, i), i, plugins, config);
}

static void unknown_pipeline(struct checker *checker, const struct config *config, const char *name)
{
    char hint[HINT_TEXT];
    const char **names =
        config_memory_take(checker->memory, config->pipeline_count + 1, sizeof *names);
    if (!names) {
        (void)mistake_no_memory(checker);
        return;
    }
    size_t count = 0;
    for (size_t i = 0; i < config->pipeline_count; i++) {
        if (config->pipelines[i].name)
            names[count++] = config->pipelines[i].name;
    }
    section_hint(name, names, hint, sizeof hint);
    (void)mistake(checker, NULL, "-p %s: there is no such pipeline%s", name, hint);
}

static void keep_only(struct checker *checker, struct config *config, const char *name)
{
    for (size_t i = 0; i < config->pipeline_count; i++) {
        if (!config->pipelines[i].name || strcmp(config->pipelines[i].name, name) != 0)
            continue;
        config->pipelines += i;
        config->pipeline_count = 1;
        return;
    }
    unknown_pipeline(checker, config, name);
}

static void resolve(struct checker *checker, const struct config_source *source,
                    const json_t *document, struct plugins *plugins, struct config *config)
{
    /* The sections below are read one by one: this finds the keys that are none of them. */
    if (!section_check(checker, NULL, document, config_section(SECTION_ROOT)))
        return;
    resolve_relay(checker, document, plugins, config);
    resolve_log(checker, document, config);
    telemetry_check(checker, section_child(checker, NULL, document, "telemetry"),
                    &config->telemetry);
    if (config->telemetry.signals[SIGNAL_METRICS].endpoint)
        config->is_observed = true;
    config_http_resolve(checker, document, config);
    resolve_pipelines(checker, document, plugins, config);
    if (source->only_pipeline)
        keep_only(checker, config, source->only_pipeline);
}

struct config *config_load(const struct config_source *source, struct plugins *plugins,
                           struct mistakes *mistakes)
{
    struct checker checker = {
        .mistakes = mistakes, .memory = config_memory_new(), .source = source};
    if (!checker.memory) {
        (void)mistake_no_memory(&checker);
        return NULL;
    }
    struct config *config = config_memory_take(checker.memory, 1, sizeof *config);
    json_t *document = NULL;
    if (config)
        document = config_read(&checker, source);
    else
        (void)mistake_no_memory(&checker);
    if (config && json_is_object(document))
        resolve(&checker, source, document, plugins, config);
    json_decref(document);
    if (checker.failed) {
        config_memory_free(&checker.memory);
        return NULL;
    }
    config->memory = checker.memory;
    return config;
}

void config_free(struct config **config)
{
    if (!config || !*config)
        return;
    struct config_memory *memory = (*config)->memory;
    config_memory_free(&memory);
    *config = NULL;
}
