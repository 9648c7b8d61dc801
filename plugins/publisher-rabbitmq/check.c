/*
 * check.c - what events would fail of, found before there is one
 * SPDX-License-Identifier: MIT
 */
#include "check.h"

#include <stdlib.h>

#define LINE_SIZE 512
#define MAX_MESSAGE_OF_4 (UINT64_C(16) * 1024 * 1024) /* RabbitMQ 4 takes no more by default */

struct checking {
    struct link *link;
    int64_t deadline;
    outbox_check_line *line;
    void *context;
    struct answer answer;
};

OUTBOX_PRINTF(3, 4)
static void say(const struct checking *checking, uint32_t level, const char *format, ...)
{
    char text[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    checking->line(checking->context, level, text);
}

static bool ask(struct checking *checking, enum question_kind kind, struct outbox_slice exchange,
                struct outbox_slice key)
{
    const struct question question = {kind, exchange, key};
    link_ask(checking->link, &question, checking->deadline, &checking->answer);
    return checking->answer.status == OUTBOX_OK;
}

static bool check_queue(struct checking *checking, struct outbox_slice name)
{
    int len = (int)name.len;
    if (!ask(checking, QUESTION_QUEUE, outbox_slice_of(""), name))
        return false;
    if (checking->answer.code == AMQP_NOT_FOUND)
        say(checking, OUTBOX_LOG_ERROR,
            "queue \"%.*s\" does not exist, and the default exchange routes to nothing else; "
            "declare "
            "it: rabbitmqadmin declare queue name=%.*s durable=true",
            len, name.data, len, name.data);
    else if (checking->answer.code)
        say(checking, OUTBOX_LOG_WARN, "queue \"%.*s\": %.200s", len, name.data,
            checking->answer.text);
    return true;
}

static bool check_exchange(struct checking *checking, struct outbox_slice name,
                           struct outbox_slice key)
{
    int len = (int)name.len;
    const struct settings *settings = checking->link->settings;
    if (!ask(checking, QUESTION_RIGHT, name, key))
        return false;
    const struct answer *answer = &checking->answer;
    if (answer->code == AMQP_NOT_FOUND)
        say(checking, OUTBOX_LOG_ERROR,
            "exchange \"%.*s\" does not exist in vhost \"%.60s\"; declare it: rabbitmqadmin "
            "declare "
            "exchange name=%.*s type=topic",
            len, name.data, settings->address.vhost, len, name.data);
    else if (answer->code == AMQP_ACCESS_REFUSED)
        say(checking, OUTBOX_LOG_ERROR,
            "user \"%.60s\" may not write to %s%.*s%s (%.120s); grant it: rabbitmqctl "
            "set_permissions -p %.60s %.60s '' '.*' ''",
            settings->address.username, len ? "exchange \"" : "the default exchange", len,
            name.data, len ? "\"" : "", answer->text, settings->address.vhost,
            settings->address.username);
    else if (name.len == 0)
        return check_queue(checking, key);
    return true;
}

static bool check_destination(struct checking *checking, const struct outbox_message *destination)
{
    struct outbox_slice exchange = parcel_exchange(destination, checking->link->settings);
    if (exchange.len > 255 || destination->topic.len > 255) {
        say(checking, OUTBOX_LOG_ERROR,
            "\"%.100s\" is longer than the 255 bytes that AMQP has for a name",
            exchange.len > 255 ? exchange.data : destination->topic.data);
        return true;
    }
    return check_exchange(checking, exchange, destination->topic);
}

static bool same(struct outbox_slice a, struct outbox_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* What the settings name can be looked at even if no destination is known. */
static bool check_default(struct checking *checking)
{
    const struct settings *settings = checking->link->settings;
    struct outbox_slice exchange = outbox_slice_of(settings->exchange);
    return exchange.len == 0 || check_exchange(checking, exchange, outbox_slice_of("outbox.check"));
}

static void check_size(const struct checking *checking, uint64_t max_payload)
{
    const struct settings *settings = checking->link->settings;
    const char *version = checking->answer.version;
    long major = strtol(version, NULL, 10);
    if (max_payload > settings->max_message_size)
        say(checking, OUTBOX_LOG_WARN,
            "events of up to %llu bytes are allowed, but \"max_message_size\" is %llu: larger ones "
            "will be dead",
            (unsigned long long)max_payload, (unsigned long long)settings->max_message_size);
    else if (major >= 4 && max_payload > MAX_MESSAGE_OF_4)
        say(checking, OUTBOX_LOG_WARN,
            "events of up to %llu bytes are allowed; RabbitMQ %.20s takes 16 MiB unless its "
            "max_message_size says otherwise, and this driver cannot ask",
            (unsigned long long)max_payload, version);
}

enum outbox_status check_run(struct link *link, const struct outbox_publisher_check *check,
                             int64_t deadline, outbox_check_line *line, void *context,
                             struct outbox_error *error)
{
    struct checking checking = {link, deadline, line, context, {.status = OUTBOX_OK}};
    const char *destinations = (const char *)check->destinations;
    const struct outbox_message *before = NULL;
    bool is_answered = ask(&checking, QUESTION_PING, outbox_slice_of(""), outbox_slice_of(""));
    if (is_answered && check->destination_count == 0)
        is_answered = check_default(&checking);
    for (uint64_t i = 0; is_answered && i < check->destination_count; i++) {
        const struct outbox_message *destination =
            (const void *)(destinations + i * check->destination_size);
        bool is_repeated = before && same(before->topic, destination->topic) &&
                           same(parcel_exchange(before, link->settings),
                                parcel_exchange(destination, link->settings));
        if (!is_repeated)
            is_answered = check_destination(&checking, destination);
        before = destination;
    }
    if (!is_answered)
        return outbox_fail(error, checking.answer.status, "", "ask %s: %.400s",
                           link->settings->place, checking.answer.text);
    check_size(&checking, check->max_payload);
    return OUTBOX_OK;
}
