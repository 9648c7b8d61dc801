/*
 * config_telemetry.c - the section `telemetry`, completed from OpenTelemetry's variables
 * SPDX-License-Identifier: MIT
 *
 * A key's value is that of the file: the signal's own, else the one for all; else that of the
 * environment, in the same order; else a default.
 */
#include "config_telemetry.h"

#include "clock.h"
#include "config_schema.h"
#include "telemetry/endpoint.h"
#include "telemetry/environment.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define VARIABLE_TEXT 64
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define MOST_ITEMS 100000

struct signal_words {
    const char *key, *path;
    const char *variable; /* its part in names of variables */
    const char *queue;    /* the beginning of those of its queue */
};

static const struct signal_words words[SIGNAL_COUNT] = {
    [SIGNAL_METRICS] = {"metrics", "/v1/metrics", "METRICS", "OTEL_METRIC_EXPORT"},
    [SIGNAL_TRACES] = {"traces", "/v1/traces", "TRACES", "OTEL_BSP"},
    [SIGNAL_LOGS] = {"logs", "/v1/logs", "LOGS", "OTEL_BLRP"},
};

/* All that speaks about telemetry. */
struct draft {
    struct checker *checker;
    struct environment environment;
    struct json_path path, signal_paths[SIGNAL_COUNT];
    const struct outbox_settings *common, *own[SIGNAL_COUNT];
    struct telemetry_settings *settings;
    bool is_written;        /* there is a section */
    bool is_header_refused; /* of those for all signals, which are noted once */
};

/* ---- Looking things up -------------------------------------------------------------------- */

/* Where a key of a signal is written. */
struct place {
    const struct outbox_setting *setting; /* NULL: nowhere in the file */
    bool is_own;                          /* the signal's, not that of all */
};

static struct place find(const struct draft *draft, int signal, const char *key)
{
    struct place place = {outbox_setting_find(draft->own[signal], key), true};
    if (!place.setting)
        place = (struct place){outbox_setting_find(draft->common, key), false};
    return place;
}

/* The variable that counts for a signal: its own if that is set, else that for all. */
static const char *variable_of(int signal, const char *what, char name[VARIABLE_TEXT])
{
    (void)snprintf(name, VARIABLE_TEXT, "OTEL_EXPORTER_OTLP_%s_%s", words[signal].variable, what);
    if (!environment_text(name))
        (void)snprintf(name, VARIABLE_TEXT, "OTEL_EXPORTER_OTLP_%s", what);
    return name;
}

static const char *keep_text(struct draft *draft, const char *text)
{
    const char *copy = text ? config_memory_copy(draft->checker->memory, text, strlen(text)) : NULL;
    if (text && !copy)
        draft->environment.failed = true;
    return copy;
}

/* ---- Addresses ---------------------------------------------------------------------------- */

static const char *join(struct draft *draft, const char *base, const char *path)
{
    size_t length = strlen(base);
    char text[16];

    while (length > 0 && base[length - 1] == '/')
        length--;
    (void)snprintf(text, sizeof(text), "%s", path);
    char *joined = config_memory_take(draft->checker->memory, length + sizeof(text), 1);
    if (!joined) {
        draft->environment.failed = true;
        return NULL;
    }
    memcpy(joined, base, length);
    memcpy(joined + length, text, sizeof(text));
    return joined;
}

static const char *endpoint_of_file(struct draft *draft, int signal, const struct place *place)
{
    if (place->is_own ? endpoint_is_address(place->setting->text)
                      : endpoint_is_base(place->setting->text))
        return place->is_own ? place->setting->text
                             : join(draft, place->setting->text, words[signal].path);
    const struct json_path *parent = place->is_own ? &draft->signal_paths[signal] : &draft->path;
    const struct json_path path = {parent, "endpoint", 0};
    /* What is written once is wrong once. */
    if (place->is_own || signal == 0)
        (void)mistake(draft->checker, &path,
                      "not an address, allowed is one such as http://localhost:4318 or "
                      "https://collector.example:4318");
    return NULL;
}

static const char *endpoint_of_environment(struct draft *draft, int signal)
{
    char name[VARIABLE_TEXT];
    const char *text = environment_text(variable_of(signal, "ENDPOINT", name));
    bool is_own = strcmp(name, "OTEL_EXPORTER_OTLP_ENDPOINT") != 0;

    if (!text)
        return NULL;
    if (is_own ? endpoint_is_address(text) : endpoint_is_base(text))
        return is_own ? keep_text(draft, text) : join(draft, text, words[signal].path);
    environment_warn(&draft->environment, name, "correct it; nothing is sent there",
                     "not an address such as http://localhost:4318");
    return NULL;
}

static const char *endpoint_of(struct draft *draft, int signal)
{
    struct place place = find(draft, signal, "endpoint");
    return place.setting ? endpoint_of_file(draft, signal, &place)
                         : endpoint_of_environment(draft, signal);
}

/* ---- Which signals are sent --------------------------------------------------------------- */

static bool is_sent_by_environment(struct draft *draft, int signal)
{
    static const char *const exporters[] = {"otlp", "none", NULL};
    char name[VARIABLE_TEXT];

    (void)snprintf(name, sizeof(name), "OTEL_%s_EXPORTER", words[signal].variable);
    return environment_choice(&draft->environment, name, exporters, 0) == 0;
}

static bool is_sent(struct draft *draft, int signal, bool is_disabled)
{
    const struct outbox_setting *all = outbox_setting_find(draft->common, "enabled");
    const struct outbox_setting *own = outbox_setting_find(draft->own[signal], "enabled");

    if (all ? !all->integer : is_disabled)
        return false;
    return own ? own->integer != 0 : is_sent_by_environment(draft, signal);
}

static void resolve_endpoints(struct draft *draft)
{
    static const char *const booleans[] = {"false", "true", NULL};
    struct signal_settings *signals = draft->settings->signals;
    bool is_disabled =
        environment_choice(&draft->environment, "OTEL_SDK_DISABLED", booleans, 0) == 1;
    bool is_given = false;

    for (int i = 0; i < SIGNAL_COUNT; i++) {
        signals[i].endpoint = endpoint_of(draft, i);
        is_given = is_given || signals[i].endpoint;
    }
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        if (!is_sent(draft, i, is_disabled))
            signals[i].endpoint = NULL;
        else if (!is_given && draft->is_written)
            signals[i].endpoint = join(draft, "http://localhost:4318", words[i].path);
    }
}

/* ---- How they are sent -------------------------------------------------------------------- */

static void resolve_protocol(struct draft *draft, int signal, struct signal_settings *settings)
{
    static const char *const protocols[] = {"http/protobuf", "http/json", NULL};
    struct place place = find(draft, signal, "protocol");
    char name[VARIABLE_TEXT];

    if (place.setting) {
        settings->is_json = strcmp(place.setting->text, "http/json") == 0;
        return;
    }
    const char *text = environment_text(variable_of(signal, "PROTOCOL", name));
    if (text && strcmp(text, "grpc") == 0) {
        environment_warn(&draft->environment, name,
                         "set it to http/protobuf or http/json, and the endpoint to the "
                         "collector's port for HTTP, mostly 4318",
                         "this relay does not speak grpc; http/protobuf is taken");
        return;
    }
    settings->is_json = environment_choice(&draft->environment, name, protocols, 0) == 1;
}

static void resolve_compression(struct draft *draft, int signal, struct signal_settings *settings)
{
    static const char *const compressions[] = {"none", "gzip", NULL};
    struct place place = find(draft, signal, "compression");
    char name[VARIABLE_TEXT];

    if (place.setting)
        settings->is_gzip = strcmp(place.setting->text, "gzip") == 0;
    else
        settings->is_gzip =
            environment_choice(&draft->environment, variable_of(signal, "COMPRESSION", name),
                               compressions, 0) == 1;
}

static void resolve_timeout(struct draft *draft, int signal, struct signal_settings *settings)
{
    struct place place = find(draft, signal, "timeout");
    char name[VARIABLE_TEXT];

    settings->timeout = 10 * SECOND;
    if (place.setting)
        settings->timeout = place.setting->integer;
    else
        environment_milliseconds(&draft->environment, variable_of(signal, "TIMEOUT", name),
                                 MILLISECOND, HOUR, &settings->timeout);
}

static const char *file_of(struct draft *draft, int signal, const char *key, const char *variable)
{
    struct place place = find(draft, signal, key);
    char name[VARIABLE_TEXT];

    if (place.setting)
        return *place.setting->text ? place.setting->text : NULL;
    return keep_text(draft, environment_text(variable_of(signal, variable, name)));
}

/* ---- Headers ------------------------------------------------------------------------------ */

/* Bytes of a name and its value: servers take little more. */
#define HEADER_MAX 4096

static bool is_header(const struct outbox_pair *pair)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "!#$%&'*+-.^_`|~";

    if (pair->name.len == 0 || strspn(pair->name.data, token) != pair->name.len)
        return false;
    for (uint64_t i = 0; i < pair->value.len; i++)
        if (iscntrl((unsigned char)pair->value.data[i]) && pair->value.data[i] != '\t')
            return false;
    return pair->name.len + pair->value.len < HEADER_MAX;
}

static bool are_headers(const struct signal_settings *settings)
{
    for (uint64_t i = 0; i < settings->header_count; i++)
        if (!is_header(&settings->headers[i]))
            return false;
    return true;
}

static void resolve_headers(struct draft *draft, int signal, struct signal_settings *settings)
{
    struct place place = find(draft, signal, "headers");
    char name[VARIABLE_TEXT];

    if (place.setting) {
        settings->headers = place.setting->pairs;
        settings->header_count = place.setting->pair_count;
    } else {
        settings->headers = environment_pairs(
            &draft->environment, variable_of(signal, "HEADERS", name), &settings->header_count);
    }
    if (draft->environment.failed || are_headers(settings))
        return;
    settings->header_count = 0;
    if (place.setting && !place.is_own && draft->is_header_refused)
        return;
    draft->is_header_refused = draft->is_header_refused || !place.is_own;
    if (place.setting) {
        const struct json_path *parent = place.is_own ? &draft->signal_paths[signal] : &draft->path;
        const struct json_path path = {parent, "headers", 0};
        (void)mistake(draft->checker, &path, "a name or value cannot stand in a header of HTTP");
    } else {
        environment_warn(&draft->environment, name, "correct it; it is left out altogether",
                         "a name or value cannot stand in a header of HTTP");
    }
}

/* ---- Batches ------------------------------------------------------------------------------ */

static void resolve_time(struct draft *draft, int signal, const char *key, const char *variable,
                         int64_t least, int64_t *value)
{
    const struct outbox_setting *own = outbox_setting_find(draft->own[signal], key);
    char name[VARIABLE_TEXT];

    (void)snprintf(name, sizeof(name), "%s_%s", words[signal].queue, variable);
    if (own)
        *value = own->integer;
    else
        environment_milliseconds(&draft->environment, name, least, DAY, value);
}

static void resolve_count(struct draft *draft, int signal, const char *key, const char *variable,
                          uint64_t most, uint64_t *value)
{
    const struct outbox_setting *own = outbox_setting_find(draft->own[signal], key);
    char name[VARIABLE_TEXT];

    (void)snprintf(name, sizeof(name), "%s_%s", words[signal].queue, variable);
    if (own)
        *value = (uint64_t)own->integer;
    else
        environment_count(&draft->environment, name, 1, most, value);
}

static void resolve_queue(struct draft *draft, int signal, struct signal_settings *settings)
{
    bool is_written = outbox_setting_find(draft->own[signal], "batch_size");

    settings->queue_size = 2048;
    settings->batch_size = 512;
    resolve_count(draft, signal, "queue_size", "MAX_QUEUE_SIZE", MOST_ITEMS, &settings->queue_size);
    resolve_count(draft, signal, "batch_size", "MAX_EXPORT_BATCH_SIZE", settings->queue_size,
                  &settings->batch_size);
    if (settings->batch_size <= settings->queue_size)
        return;
    if (is_written) {
        const struct json_path path = {&draft->signal_paths[signal], "batch_size", 0};
        (void)mistake(draft->checker, &path,
                      "found %llu, allowed is at most the queue's size, which is %llu: lower this "
                      "or raise %s.queue_size",
                      (unsigned long long)settings->batch_size,
                      (unsigned long long)settings->queue_size, words[signal].key);
    }
    settings->batch_size = settings->queue_size;
}

static void resolve_batches(struct draft *draft, int signal, struct signal_settings *settings)
{
    settings->patience = 30 * SECOND;
    if (signal == SIGNAL_METRICS) {
        settings->delay = 60 * SECOND;
        resolve_time(draft, signal, "interval", "INTERVAL", 100 * MILLISECOND, &settings->delay);
        resolve_time(draft, signal, "patience", "TIMEOUT", MILLISECOND, &settings->patience);
        return;
    }
    settings->delay = signal == SIGNAL_TRACES ? 5 * SECOND : 1 * SECOND;
    resolve_time(draft, signal, "delay", "SCHEDULE_DELAY", MILLISECOND, &settings->delay);
    resolve_time(draft, signal, "patience", "EXPORT_TIMEOUT", MILLISECOND, &settings->patience);
    resolve_queue(draft, signal, settings);
}

/* ---- What is sent ------------------------------------------------------------------------- */

static void resolve_sampler(struct draft *draft)
{
    static const char *const samplers[] = {"always_on",
                                           "always_off",
                                           "traceidratio",
                                           "parentbased_always_on",
                                           "parentbased_always_off",
                                           "parentbased_traceidratio",
                                           NULL};
    const struct outbox_settings *own = draft->own[SIGNAL_TRACES];
    const struct outbox_setting *sampler = outbox_setting_find(own, "sampler");
    const struct outbox_setting *part = outbox_setting_find(own, "ratio");
    const struct json_path path = {&draft->signal_paths[SIGNAL_TRACES], "ratio", 0};
    size_t chosen = 3;
    double ratio = 1;

    if (!sampler)
        chosen = environment_choice(&draft->environment, "OTEL_TRACES_SAMPLER", samplers, chosen);
    for (size_t i = 0; sampler && samplers[i]; i++)
        if (strcmp(samplers[i], sampler->text) == 0)
            chosen = i;
    bool has_ratio = chosen % 3 == 2;
    if (has_ratio && part)
        ratio = part->number;
    else if (has_ratio)
        environment_ratio(&draft->environment, "OTEL_TRACES_SAMPLER_ARG", &ratio);
    else if (part && (sampler || !environment_text("OTEL_TRACES_SAMPLER")))
        (void)mistake(draft->checker, &path,
                      "counts for nothing with the sampler %s: set traces.sampler to "
                      "parentbased_traceidratio or traceidratio",
                      samplers[chosen]);
    draft->settings->sampler = (struct telemetry_sampler){
        .is_parent_based = chosen >= 3,
        .ratio = chosen % 3 == 1 ? 0 : ratio,
    };
}

static const char *pair_value(const struct telemetry_settings *settings, const char *name)
{
    for (uint64_t i = 0; i < settings->attribute_count; i++)
        if (strcmp(settings->attributes[i].name.data, name) == 0)
            return settings->attributes[i].value.data;
    return NULL;
}

static void resolve_resource(struct draft *draft)
{
    struct telemetry_settings *settings = draft->settings;
    const struct outbox_setting *pairs = outbox_setting_find(draft->common, "resource_attributes");

    settings->attributes = environment_pairs(&draft->environment, "OTEL_RESOURCE_ATTRIBUTES",
                                             &settings->attribute_count);
    if (pairs) {
        settings->attributes = pairs->pairs;
        settings->attribute_count = pairs->pair_count;
    }
    if (draft->environment.failed)
        return;
    settings->service_name = outbox_setting_text(draft->common, "service_name", NULL);
    if (!settings->service_name && pairs)
        settings->service_name = pair_value(settings, "service.name");
    if (!settings->service_name)
        settings->service_name = keep_text(draft, environment_text("OTEL_SERVICE_NAME"));
    if (!settings->service_name)
        settings->service_name = pair_value(settings, "service.name");
    if (!settings->service_name || !*settings->service_name)
        settings->service_name = "outbox-relay";
}

/* ---- The section -------------------------------------------------------------------------- */

static bool read_sections(struct draft *draft, const json_t *object)
{
    draft->common =
        section_check(draft->checker, &draft->path, object, config_section(SECTION_TELEMETRY));
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        draft->signal_paths[i] = (struct json_path){&draft->path, words[i].key, 0};
        draft->own[i] =
            section_check(draft->checker, &draft->signal_paths[i],
                          section_child(draft->checker, &draft->path, object, words[i].key),
                          config_section((enum config_section_id)(SECTION_TELEMETRY_METRICS + i)));
        if (!draft->own[i])
            return false;
    }
    return draft->common;
}

void telemetry_check(struct checker *checker, const json_t *object,
                     struct telemetry_settings *settings)
{
    struct draft draft = {
        .checker = checker,
        .environment = {checker->memory, settings, false},
        .path = {NULL, "telemetry", 0},
        .settings = settings,
        .is_written = object != NULL,
    };

    if (!read_sections(&draft, object))
        return;
    settings->processor_share = outbox_setting_number(draft.common, "processor_share", 0);
    resolve_endpoints(&draft);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        struct signal_settings *signal = &settings->signals[i];
        if (!signal->endpoint)
            continue;
        resolve_protocol(&draft, i, signal);
        resolve_compression(&draft, i, signal);
        resolve_timeout(&draft, i, signal);
        resolve_headers(&draft, i, signal);
        resolve_batches(&draft, i, signal);
        signal->certificate = file_of(&draft, i, "certificate", "CERTIFICATE");
        signal->client_certificate = file_of(&draft, i, "client_certificate", "CLIENT_CERTIFICATE");
        signal->client_key = file_of(&draft, i, "client_key", "CLIENT_KEY");
    }
    resolve_sampler(&draft);
    resolve_resource(&draft);
    if (draft.environment.failed)
        (void)mistake_no_memory(checker);
}
