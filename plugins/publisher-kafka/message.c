/*
 * message.c - hands one message of a batch to the client library
 * SPDX-License-Identifier: MIT
 */
#include "message.h"

#include "verdict.h"

#include <time.h>

/* The names of the CloudEvents binding. */
#define ATTRIBUTE_PREFIX "ce_"
#define CONTENT_TYPE "content-type"
#define LONGEST_ATTRIBUTE 256
#define LONGEST_NUMBER 19 /* digits */

static enum handover refuse(struct refusal *refusal, uint32_t outcome)
{
    refusal->outcome = outcome;
    return REFUSED;
}

static enum handover refuse_memory(struct refusal *refusal)
{
    (void)snprintf(refusal->reason, sizeof(refusal->reason), "out of memory (ENOMEM)");
    return refuse(refusal, OUTBOX_AWAY);
}

/* ---- Topic -------------------------------------------------------------------------------- */

static enum handover find_topic(struct topics *topics, struct last_topic *last,
                                struct outbox_slice name, struct refusal *refusal)
{
    if (last->handle && last->len == name.len &&
        memcmp(rd_kafka_topic_name(last->handle), name.data, name.len) == 0)
        return HANDED_OVER;
    if (!topic_is_legal(name)) {
        (void)snprintf(refusal->reason, sizeof(refusal->reason),
                       "topic \"%.*s\" is no legal name: it has 1 to %d letters, digits, '.', '_' "
                       "and '-'; see route.topic",
                       (int)(name.len < 100 ? name.len : 100), name.data ? name.data : "",
                       LONGEST_TOPIC);
        return refuse(refusal, OUTBOX_REJECTED);
    }
    rd_kafka_topic_t *handle = topics_find(topics, name);
    if (!handle)
        return refuse_memory(refusal);
    *last = (struct last_topic){.handle = handle, .len = name.len};
    return HANDED_OVER;
}

/* ---- Headers ------------------------------------------------------------------------------ */

static bool add_header(rd_kafka_headers_t *headers, struct outbox_slice name,
                       struct outbox_slice value)
{
    return rd_kafka_header_add(headers, name.data, (ssize_t)name.len, value.data,
                               (ssize_t)value.len) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool add_attribute(rd_kafka_headers_t *headers, const struct outbox_pair *attribute)
{
    char name[LONGEST_ATTRIBUTE + sizeof(ATTRIBUTE_PREFIX)] = ATTRIBUTE_PREFIX;
    uint64_t prefix = sizeof(ATTRIBUTE_PREFIX) - 1;
    if (attribute->name.len > LONGEST_ATTRIBUTE)
        return false;
    memcpy(name + prefix, attribute->name.data, attribute->name.len);
    return add_header(headers, (struct outbox_slice){name, prefix + attribute->name.len},
                      attribute->value);
}

/* The protocol carries any bytes in names and values. What it has no place for is a name or value
 * beyond 2 GiB, which no event has. */
static bool add_headers(rd_kafka_headers_t *headers, const struct outbox_message *message)
{
    bool is_done = true;
    for (uint64_t i = 0; i < message->header_count && is_done; i++)
        is_done = add_header(headers, message->headers[i].name, message->headers[i].value);
    for (uint64_t i = 0; i < message->attribute_count && is_done; i++)
        is_done = add_attribute(headers, &message->attributes[i]);
    if (is_done && message->content_type.data)
        is_done = add_header(headers, outbox_slice_of(CONTENT_TYPE), message->content_type);
    return is_done;
}

static bool same(struct outbox_slice a, struct outbox_slice b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* A consumer would see two headers of one name, and could not tell which is the attribute. */
static const struct outbox_pair *clash(const struct outbox_message *message)
{
    const uint64_t prefix = sizeof(ATTRIBUTE_PREFIX) - 1;
    for (uint64_t i = 0; i < message->header_count; i++) {
        struct outbox_slice name = message->headers[i].name;
        if (message->content_type.data && same(name, outbox_slice_of(CONTENT_TYPE)))
            return &message->headers[i];
        if (name.len <= prefix || memcmp(name.data, ATTRIBUTE_PREFIX, prefix) != 0)
            continue;
        struct outbox_slice rest = {name.data + prefix, name.len - prefix};
        for (uint64_t j = 0; j < message->attribute_count; j++) {
            if (same(message->attributes[j].name, rest))
                return &message->headers[i];
        }
    }
    return NULL;
}

/* *headers is NULL where there is nothing to say. */
static enum handover make_headers(const struct outbox_message *message,
                                  rd_kafka_headers_t **headers, struct refusal *refusal)
{
    uint64_t count = message->header_count + message->attribute_count + 1;
    *headers = NULL;
    if (count == 1 && !message->content_type.data)
        return HANDED_OVER;
    const struct outbox_pair *clashing = clash(message);
    if (clashing) {
        (void)snprintf(refusal->reason, sizeof(refusal->reason),
                       "header \"%.*s\" has the name under which a CloudEvents attribute travels: "
                       "rename it or drop it in route.headers",
                       (int)(clashing->name.len < 100 ? clashing->name.len : 100),
                       clashing->name.data);
        return refuse(refusal, OUTBOX_REJECTED);
    }
    *headers = rd_kafka_headers_new(count);
    if (!*headers)
        return refuse_memory(refusal);
    if (add_headers(*headers, message))
        return HANDED_OVER;
    rd_kafka_headers_destroy(*headers);
    (void)snprintf(refusal->reason, sizeof(refusal->reason),
                   "the headers cannot be sent: a CloudEvents attribute has a name of more than %d "
                   "bytes",
                   LONGEST_ATTRIBUTE);
    return refuse(refusal, OUTBOX_REJECTED);
}

/* ---- Properties --------------------------------------------------------------------------- */

static bool parse_number(struct outbox_slice text, int64_t most, int64_t *number)
{
    if (text.len == 0 || text.len > LONGEST_NUMBER)
        return false;
    uint64_t value = 0;
    for (uint64_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *number = (int64_t)value;
    return value <= (uint64_t)most;
}

/* "2026-01-31T09:30:00.25Z", as {created_at} gives it, in milliseconds since 1970. */
static bool parse_instant(struct outbox_slice text, int64_t *milliseconds)
{
    char copy[40];
    struct tm parts = {0};
    int64_t fraction = 0, unit = 100;
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    const char *rest = strptime(copy, "%Y-%m-%dT%H:%M:%S", &parts);
    if (!rest)
        return false;
    if (*rest == '.') {
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
            fraction += unit * (*rest - '0');
    }
    *milliseconds = (int64_t)timegm(&parts) * 1000 + fraction;
    return strcmp(rest, "Z") == 0 && rest + 1 == copy + text.len;
}

static bool parse_timestamp(struct outbox_slice text, int64_t *milliseconds)
{
    bool is_good = parse_number(text, INT64_MAX, milliseconds) || parse_instant(text, milliseconds);
    return is_good && *milliseconds > 0;
}

static bool is_named(const struct outbox_pair *property, const char *name)
{
    return property->name.len == strlen(name) &&
           memcmp(property->name.data, name, property->name.len) == 0;
}

struct target {
    int64_t partition, timestamp;
};

static enum handover read_properties(const struct outbox_message *message, struct target *target,
                                     struct refusal *refusal)
{
    *target = (struct target){.partition = RD_KAFKA_PARTITION_UA};
    for (uint64_t i = 0; i < message->property_count; i++) {
        const struct outbox_pair *property = &message->properties[i];
        bool is_good = true;
        const char *wanted = "";
        if (is_named(property, PROPERTY_PARTITION)) {
            wanted = "the number of a partition, from 0 on";
            is_good = parse_number(property->value, INT32_MAX, &target->partition);
        } else if (is_named(property, PROPERTY_TIMESTAMP)) {
            wanted = "milliseconds since 1970-01-01 UTC, or as 2026-01-31T09:30:00Z";
            is_good = parse_timestamp(property->value, &target->timestamp);
        }
        if (is_good)
            continue;
        (void)snprintf(refusal->reason, sizeof(refusal->reason),
                       "property \"%.*s\" is \"%.*s\"; it must be %s", (int)property->name.len,
                       property->name.data,
                       (int)(property->value.len < 60 ? property->value.len : 60),
                       property->value.data ? property->value.data : "", wanted);
        return refuse(refusal, OUTBOX_REJECTED);
    }
    return HANDED_OVER;
}

/* ---- Handing over ------------------------------------------------------------------------- */

static enum handover judge(const rd_kafka_error_t *error, rd_kafka_topic_t *topic,
                           bool rejects_missing, struct refusal *refusal)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return NO_ROOM;
    if (rd_kafka_error_is_fatal(error)) {
        verdict_text_of_loss(code, refusal->reason, sizeof(refusal->reason));
        return CLIENT_LOST;
    }
    struct verdict verdict = verdict_of(code, false, rejects_missing);
    verdict_text(&verdict, code, rd_kafka_topic_name(topic), refusal->reason,
                 sizeof(refusal->reason));
    return refuse(refusal, verdict.outcome);
}

static rd_kafka_vu_t bytes_of(rd_kafka_vtype_t type, struct outbox_slice slice)
{
    rd_kafka_vu_t field = {.vtype = type};
    field.u.mem.ptr = (void *)(uintptr_t)slice.data; /* only looked at */
    field.u.mem.size = slice.len;
    return field;
}

/* The payload is not copied: it stays where it is until the report has come. */
static rd_kafka_error_t *produce(rd_kafka_t *client, rd_kafka_topic_t *topic,
                                 const struct outbox_message *message, const struct target *target,
                                 rd_kafka_headers_t *headers, void *handle)
{
    rd_kafka_vu_t fields[7] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = (int32_t)target->partition},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = handle},
        bytes_of(RD_KAFKA_VTYPE_VALUE, message->payload),
        bytes_of(RD_KAFKA_VTYPE_KEY, message->key),
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = target->timestamp},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    return rd_kafka_produceva(client, fields, headers ? 7 : 6);
}

enum handover message_hand_over(struct topics *topics, struct last_topic *last,
                                const struct outbox_message *message, void *handle,
                                bool rejects_missing, struct refusal *refusal)
{
    struct target target;
    rd_kafka_headers_t *headers;
    enum handover result = find_topic(topics, last, message->topic, refusal);
    if (result == HANDED_OVER)
        result = read_properties(message, &target, refusal);
    if (result == HANDED_OVER)
        result = make_headers(message, &headers, refusal);
    if (result != HANDED_OVER)
        return result;

    rd_kafka_error_t *error =
        produce(topics->client, last->handle, message, &target, headers, handle);
    if (!error)
        return HANDED_OVER;
    result = judge(error, last->handle, rejects_missing, refusal);
    rd_kafka_error_destroy(error);
    if (headers)
        rd_kafka_headers_destroy(headers);
    return result;
}
