/*
 * check.c - asks Redis what would fail later
 * SPDX-License-Identifier: MIT
 */
#include "number.h"
#include "output.h"
#include "probe.h"
#include "publisher.h"

#include <stdarg.h>
#include <stdlib.h>

/* A check at work, over a connection of its own to one node at a time. */
struct checkup {
    struct remote *remote;
    const struct patience *patience;
    outbox_check_line *line;
    void *context;
    struct wire wire;
    struct greeting greeting;
    unsigned node;
    bool is_open;
};

OUTBOX_PRINTF(3, 4)
static void report(const struct checkup *checkup, uint32_t level, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    checkup->line(checkup->context, level, text);
}

static void leave(struct checkup *checkup)
{
    if (checkup->is_open)
        wire_close(&checkup->wire);
    checkup->is_open = false;
}

static enum outbox_status visit(struct checkup *checkup, unsigned node, struct outbox_error *error)
{
    if (checkup->is_open && checkup->node == node)
        return OUTBOX_OK;
    leave(checkup);
    enum outbox_status status = remote_connect(checkup->remote, node, checkup->patience,
                                               &checkup->wire, &checkup->greeting, error);
    checkup->is_open = status == OUTBOX_OK;
    checkup->node = node;
    return status;
}

static enum outbox_status ask(struct checkup *checkup, const char *first,
                              struct outbox_slice second, const char *third, redisReply **reply,
                              struct outbox_error *error)
{
    const struct outbox_slice command[] = {outbox_slice_of(first), second, outbox_slice_of(third)};
    return remote_ask(&checkup->wire, checkup->patience, command, third ? 3 : 2, reply, error);
}

/* ---- The server --------------------------------------------------------------------------- */

/* The value of a line "name:value" of INFO, "" if there is none. */
static const char *info_value(const char *info, const char *name, char value[64])
{
    size_t len = strlen(name);
    value[0] = '\0';
    for (const char *at = info; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, name, len) != 0 || at[len] != ':')
            continue;
        at += len + 1;
        (void)snprintf(value, 64, "%.*s", (int)strcspn(at, "\r\n"), at);
        return value;
    }
    return value;
}

static bool info_is(const char *info, const char *name, const char *wanted)
{
    char value[64];
    return strcmp(info_value(info, name, value), wanted) == 0;
}

static int64_t info_number(const char *info, const char *name)
{
    char value[64];
    int64_t number = 0;
    return number_parse(info_value(info, name, value), INT64_MAX, &number) ? number : 0;
}

/* Whether version "MAJOR.MINOR..." is older. One that cannot be read is not. */
static bool is_older(const char *version, long major, long minor)
{
    char *end;
    long first = strtol(version, &end, 10);
    if (end == version)
        return false;
    long second = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    return first < major || (first == major && second < minor);
}

static void check_version(const struct checkup *checkup, const char *info)
{
    const struct settings *settings = checkup->remote->settings;
    char version[64];
    (void)info_value(info, "redis_version", version);
    if (settings->kind == KIND_STREAM && is_older(version, 5, 0))
        report(checkup, OUTBOX_LOG_ERROR, "Redis %s has no streams: they need Redis 5", version);
    else if ((settings->max_age > 0 || settings->on_missing != MISSING_CREATE) &&
             is_older(version, 6, 2))
        report(checkup, OUTBOX_LOG_ERROR,
               "Redis %s knows neither max_age nor on_missing_stream: they need Redis 6.2",
               version);
}

static void check_memory(const struct checkup *checkup, const char *info)
{
    char policy[64];
    (void)info_value(info, "maxmemory_policy", policy);
    if (strncmp(policy, "allkeys", 7) == 0 && info_number(info, "maxmemory") > 0)
        report(
            checkup, OUTBOX_LOG_WARN,
            "maxmemory-policy is %s: when its memory is used up, Redis deletes keys of its choice, "
            "whole streams of delivered events too: set noeviction or a volatile policy",
            policy);
}

/* The value of a configuration key, "" if it cannot be asked. */
static enum outbox_status config_value(struct checkup *checkup, const char *key, bool *is_known,
                                       char value[64], struct outbox_error *error)
{
    redisReply *reply = NULL;
    *is_known = false;
    value[0] = '\0';
    enum outbox_status status = ask(checkup, "CONFIG", outbox_slice_of("GET"), key, &reply, error);
    if (status == OUTBOX_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[1]->type == REDIS_REPLY_STRING) {
        *is_known = true;
        (void)snprintf(value, 64, "%s", reply->element[1]->str);
    }
    freeReplyObject(reply);
    return status;
}

static enum outbox_status check_disk(struct checkup *checkup, const char *info,
                                     struct outbox_error *error)
{
    char value[64];
    bool is_known = false, has_log = info_is(info, "aof_enabled", "1");
    if (checkup->remote->settings->kind == KIND_PUBSUB)
        return OUTBOX_OK;
    enum outbox_status status =
        config_value(checkup, has_log ? "appendfsync" : "save", &is_known, value, error);
    if (status != OUTBOX_OK)
        return status;
    if (has_log && strcmp(value, "no") == 0)
        report(
            checkup, OUTBOX_LOG_WARN,
            "appendfsync is no: when the machine fails, Redis loses what it confirmed in the last "
            "half minute or so: set everysec or always");
    if (!has_log && is_known && *value == '\0')
        report(checkup, OUTBOX_LOG_WARN,
               "Redis keeps events in memory only and loses them when it ends: set appendonly yes");
    else if (!has_log)
        report(checkup, OUTBOX_LOG_WARN,
               "appendonly is no: when Redis fails, it loses what it confirmed since its last "
               "snapshot: set appendonly yes");
    return OUTBOX_OK;
}

static void check_role(const struct checkup *checkup, const char *info)
{
    if (!info_is(info, "role", "slave"))
        return;
    if (checkup->remote->settings->kind == KIND_PUBSUB)
        report(checkup, OUTBOX_LOG_WARN,
               "Redis at %s is a replica: only its own subscribers get what is published there",
               checkup->greeting.name);
    else
        report(checkup, OUTBOX_LOG_ERROR,
               "Redis at %s is a replica and takes no events: point the relay at its master, or "
               "at the sentinels",
               checkup->greeting.name);
}

static enum outbox_status check_server(struct checkup *checkup, uint64_t max_payload,
                                       struct outbox_error *error)
{
    redisReply *reply = NULL;
    enum outbox_status status = visit(checkup, checkup->node, error);
    if (status != OUTBOX_OK)
        return status;
    if (checkup->greeting.longest < max_payload)
        report(checkup, OUTBOX_LOG_WARN,
               "Redis at %s takes payloads of %llu bytes at most, and publish.max_payload is %llu: "
               "raise proto-max-bulk-len or lower max_payload",
               checkup->greeting.name, (unsigned long long)checkup->greeting.longest,
               (unsigned long long)max_payload);
    status = ask(checkup, "INFO", outbox_slice_of("default"), NULL, &reply, error);
    if (status != OUTBOX_OK)
        return status;
    if (reply->type == REDIS_REPLY_ERROR) {
        report(checkup, OUTBOX_LOG_INFO,
               "memory, disk and role of Redis at %s are not looked at: %.200s",
               checkup->greeting.name, reply->str);
    } else if (reply->str) {
        check_version(checkup, reply->str);
        check_memory(checkup, reply->str);
        check_role(checkup, reply->str);
        status = check_disk(checkup, reply->str, error);
    }
    freeReplyObject(reply);
    return status;
}

/* ---- Destinations ------------------------------------------------------------------------- */

static void report_type(const struct checkup *checkup, struct outbox_slice topic, const char *type)
{
    const struct settings *settings = checkup->remote->settings;
    const char *wanted = settings->kind == KIND_STREAM ? "stream" : "list";
    int len = (int)(topic.len < 200 ? topic.len : 200);
    bool is_missing = strcmp(type, "none") == 0;
    if (is_missing && settings->on_missing != MISSING_CREATE)
        report(checkup, OUTBOX_LOG_ERROR,
               "the stream \"%.*s\" is not there: create it (XGROUP CREATE ... MKSTREAM), or set "
               "on_missing_stream to create",
               len, topic.data);
    else if (!is_missing && strcmp(type, wanted) != 0)
        report(checkup, OUTBOX_LOG_ERROR,
               "the key \"%.*s\" is a %.40s and no %s: rename or delete it, or route elsewhere",
               len, topic.data, type, wanted);
}

static enum outbox_status check_type(struct checkup *checkup, struct outbox_slice topic,
                                     struct outbox_error *error)
{
    redisReply *reply = NULL;
    if (checkup->remote->settings->kind == KIND_PUBSUB)
        return OUTBOX_OK;
    enum outbox_status status = ask(checkup, "TYPE", topic, NULL, &reply, error);
    /* Who may not ask hears from the probe whether events may go there. */
    if (status == OUTBOX_OK && reply->type == REDIS_REPLY_STATUS)
        report_type(checkup, topic, reply->str);
    freeReplyObject(reply);
    return status;
}

static enum outbox_status check_topic(struct checkup *checkup, struct outbox_slice topic,
                                      struct outbox_error *error)
{
    char text[PROBE_TEXT];
    struct remote *remote = checkup->remote;
    unsigned node = remote_node_of(remote, topic);
    bool is_new = checkup->node != node;
    enum outbox_status status = visit(checkup, node, error);
    if (status == OUTBOX_OK && is_new)
        status = check_server(checkup, 0, error);
    if (status == OUTBOX_OK)
        status = check_type(checkup, topic, error);
    if (status == OUTBOX_OK)
        status =
            probe_write(remote->settings, &checkup->wire, checkup->patience, topic, text, error);
    if (status == OUTBOX_OK && text[0] != '\0') {
        const char *remedy = answer_remedy(text);
        report(checkup, OUTBOX_LOG_ERROR, "Redis at %.100s takes no events for \"%.*s\": %s%s%s",
               checkup->greeting.name, (int)(topic.len < 100 ? topic.len : 100), topic.data, text,
               *remedy ? ": " : "", remedy);
    }
    return status;
}

enum outbox_status publisher_check(struct outbox_publisher *publisher,
                                   const struct outbox_publisher_check *check, int64_t deadline,
                                   outbox_check_line *line, void *context,
                                   struct outbox_error *error)
{
    const struct patience patience = {publisher->host, deadline, -1};
    struct checkup checkup = {
        .remote = &publisher->remote, .patience = &patience, .line = line, .context = context};
    struct output_signals signals;
    output_signals_begin(&signals);
    enum outbox_status status = check_server(&checkup, check->max_payload, error);
    for (uint64_t i = 0; i < check->destination_count && status == OUTBOX_OK; i++) {
        const struct outbox_message *destination =
            (const struct outbox_message *)(const void *)((const char *)check->destinations +
                                                          i * check->destination_size);
        if (destination->topic.data)
            status = check_topic(&checkup, destination->topic, error);
    }
    leave(&checkup);
    output_signals_end(&signals);
    return status;
}
