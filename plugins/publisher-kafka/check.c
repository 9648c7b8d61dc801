/*
 * check.c - what would fail later: missing topics, missing rights, limits that are too small
 * SPDX-License-Identifier: MIT
 *
 * Asks as a consumer would, for a producer that asks for a topic makes the broker create it.
 */
#include "driver.h"
#include "message.h"

#include <stdarg.h>
#include <stdlib.h>

struct inquiry {
    struct outbox_publisher *publisher;
    const struct outbox_publisher_check *check;
    int64_t deadline;
    outbox_check_line *line;
    void *context;
    rd_kafka_t *library;
    rd_kafka_queue_t *answers;
    bool creates_topics; /* the broker does, when an event comes */
};

__attribute__((format(printf, 3, 4))) static void tell(const struct inquiry *inquiry,
                                                       uint32_t level, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    inquiry->line(inquiry->context, level, text);
}

static int time_left(const struct inquiry *inquiry)
{
    const struct outbox_host *host = inquiry->publisher->host;
    int64_t left = inquiry->deadline - host->now(host);
    return left > 0 ? (int)(left / MILLISECOND) : 0;
}

/* ---- A client of its own ------------------------------------------------------------------ */

static enum outbox_status start(struct inquiry *inquiry, struct outbox_error *error)
{
    char why[256];
    struct outbox_publisher *publisher = inquiry->publisher;
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(publisher->settings.conf);
    if (!conf)
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "check topics: out of memory");
    rd_kafka_conf_set_opaque(conf, publisher);
    rd_kafka_conf_set_events(conf, 0);
    /* It warns of what a consumer has no use for. */
    enum outbox_status status = settings_set(conf, "log_level", "2", "log_level", error);
    if (status == OUTBOX_OK)
        status = settings_set(conf, "allow.auto.create.topics", "false", "allow.auto.create.topics",
                              error);
    if (status == OUTBOX_OK) {
        inquiry->library = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
        if (!inquiry->library)
            status = outbox_fail(error, OUTBOX_INTERNAL, "", "check topics: %s", why);
    }
    if (status != OUTBOX_OK) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    inquiry->answers = rd_kafka_queue_new(inquiry->library);
    return OUTBOX_OK;
}

static void end(struct inquiry *inquiry)
{
    if (inquiry->answers)
        rd_kafka_queue_destroy(inquiry->answers);
    if (inquiry->library)
        rd_kafka_destroy(inquiry->library);
}

/* ---- Configurations of topics and brokers ------------------------------------------------- */

/* Copies the value of a configuration's entry; false if it is not there. */
static bool entry_of(const rd_kafka_ConfigResource_t *resource, const char *name, char *value,
                     size_t size)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++) {
        const char *found = rd_kafka_ConfigEntry_value(entries[i]);
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0 && found) {
            (void)snprintf(value, size, "%s", found);
            return true;
        }
    }
    return false;
}

static int64_t number_of(const rd_kafka_ConfigResource_t *resource, const char *name)
{
    char value[32];
    return entry_of(resource, name, value, sizeof(value)) ? (int64_t)strtoll(value, NULL, 10) : -1;
}

/* The answer, to be destroyed; NULL if there is none, as without the right to ask. */
static rd_kafka_event_t *describe(const struct inquiry *inquiry, rd_kafka_ResourceType_t type,
                                  const char *name, const rd_kafka_ConfigResource_t **resource)
{
    char why[128];
    size_t count = 0;
    rd_kafka_ConfigResource_t *wanted = rd_kafka_ConfigResource_new(type, name);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(inquiry->library, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_event_t *event = NULL;
    if (wanted && options &&
        rd_kafka_AdminOptions_set_request_timeout(options, time_left(inquiry) + 1, why,
                                                  sizeof(why)) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_DescribeConfigs(inquiry->library, &wanted, 1, options, inquiry->answers);
        event = rd_kafka_queue_poll(inquiry->answers, time_left(inquiry) + 1000);
    }
    if (options)
        rd_kafka_AdminOptions_destroy(options);
    if (wanted)
        rd_kafka_ConfigResource_destroy(wanted);
    if (!event)
        return NULL;
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    const rd_kafka_ConfigResource_t **found =
        result ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    if (count == 1 && rd_kafka_ConfigResource_error(found[0]) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        *resource = found[0];
        return event;
    }
    rd_kafka_event_destroy(event);
    return NULL;
}

static void check_size(const struct inquiry *inquiry, int64_t most, const char *where,
                       const char *name)
{
    uint64_t wanted = inquiry->check->max_payload;
    if (most < 0 || wanted == 0 || (uint64_t)most >= wanted)
        return;
    tell(inquiry, OUTBOX_LOG_WARN,
         "%s takes %lld bytes a message (%s), and publish.max_payload allows payloads of %llu: "
         "raise "
         "the one or lower the other, or larger events become DEAD",
         where, (long long)most, name, (unsigned long long)wanted);
}

/* ---- Topics ------------------------------------------------------------------------------- */

static void check_settings(const struct inquiry *inquiry, const char *topic, int replicas)
{
    const rd_kafka_ConfigResource_t *resource = NULL;
    char where[LONGEST_TOPIC + 16];
    rd_kafka_event_t *event = describe(inquiry, RD_KAFKA_RESOURCE_TOPIC, topic, &resource);
    if (!event) {
        tell(inquiry, OUTBOX_LOG_INFO,
             "topic %s: its largest message is not known, for want of the right DescribeConfigs",
             topic);
        return;
    }
    (void)snprintf(where, sizeof(where), "topic %s", topic);
    check_size(inquiry, number_of(resource, "max.message.bytes"), where, "max.message.bytes");
    int64_t in_sync = number_of(resource, "min.insync.replicas");
    if (in_sync > replicas)
        tell(inquiry, OUTBOX_LOG_ERROR,
             "topic %s has %d replicas and takes nothing without %lld in sync: lower its "
             "min.insync.replicas, or add replicas",
             topic, replicas, (long long)in_sync);
    rd_kafka_event_destroy(event);
}

static void tell_missing(const struct inquiry *inquiry, const char *topic)
{
    if (inquiry->creates_topics)
        tell(
            inquiry, OUTBOX_LOG_WARN,
            "topic %s is missing: the broker will make it, with its defaults, when the first event "
            "comes (auto.create.topics.enable)",
            topic);
    else
        tell(inquiry, OUTBOX_LOG_ERROR, "topic %s is missing: create it, or mend route.topic",
             topic);
}

/* The partition that the route asks for, if any, is one of the topic's. */
static void check_partition(const struct inquiry *inquiry, const struct outbox_message *destination,
                            const char *topic, int count)
{
    for (uint64_t i = 0; i < destination->property_count; i++) {
        const struct outbox_pair *property = &destination->properties[i];
        char number[16];
        if (property->name.len != strlen(PROPERTY_PARTITION) ||
            memcmp(property->name.data, PROPERTY_PARTITION, property->name.len) != 0 ||
            property->value.len >= sizeof(number))
            continue;
        memcpy(number, property->value.data, property->value.len);
        number[property->value.len] = '\0';
        if (number[0] >= '0' && number[0] <= '9' && strtoll(number, NULL, 10) >= count)
            tell(inquiry, OUTBOX_LOG_ERROR,
                 "topic %s has %d partitions, route.properties names partition %s: counting from "
                 "0, it is not there",
                 topic, count, number);
    }
}

static void judge_topic(const struct inquiry *inquiry, const struct outbox_message *destination,
                        const struct rd_kafka_metadata_topic *topic)
{
    switch (topic->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
        if (topic->partition_cnt > 0) {
            check_partition(inquiry, destination, topic->topic, topic->partition_cnt);
            check_settings(inquiry, topic->topic, topic->partitions[0].replica_cnt);
        }
        return;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        tell_missing(inquiry, topic->topic);
        return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        tell(inquiry, OUTBOX_LOG_ERROR, "topic %s may not be used: grant Write on it to this user",
             topic->topic);
        return;
    default:
        tell(inquiry, OUTBOX_LOG_ERROR, "topic %s: %s", topic->topic, rd_kafka_err2str(topic->err));
    }
}

static enum outbox_status check_topic(const struct inquiry *inquiry,
                                      const struct outbox_message *destination,
                                      struct outbox_error *error)
{
    char name[LONGEST_TOPIC + 1];
    const struct rd_kafka_metadata *answer = NULL;
    struct outbox_slice topic = destination->topic;
    if (!topic_is_legal(topic)) {
        tell(inquiry, OUTBOX_LOG_ERROR,
             "topic \"%.*s\" is no legal name: letters, digits, '.', '_' and '-', at most %d",
             (int)(topic.len < 100 ? topic.len : 100), topic.data ? topic.data : "", LONGEST_TOPIC);
        return OUTBOX_OK;
    }
    memcpy(name, topic.data, topic.len);
    name[topic.len] = '\0';
    rd_kafka_topic_t *handle = rd_kafka_topic_new(inquiry->library, name, NULL);
    rd_kafka_resp_err_t code =
        handle ? rd_kafka_metadata(inquiry->library, 0, handle, &answer, time_left(inquiry))
               : RD_KAFKA_RESP_ERR__FAIL;
    if (handle)
        rd_kafka_topic_destroy(handle);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return outbox_fail(error, OUTBOX_UNAVAILABLE, rd_kafka_err2name(code),
                           "ask Kafka for topic %.250s: %s", name, rd_kafka_err2str(code));
    for (int i = 0; i < answer->topic_cnt; i++) {
        if (strcmp(answer->topics[i].topic, name) == 0)
            judge_topic(inquiry, destination, &answer->topics[i]);
    }
    rd_kafka_metadata_destroy(answer);
    return OUTBOX_OK;
}

/* ---- All of it ---------------------------------------------------------------------------- */

/* What holds for every topic without settings of its own. */
static enum outbox_status check_broker(struct inquiry *inquiry, struct outbox_error *error)
{
    char broker[16], value[16] = "";
    const rd_kafka_ConfigResource_t *resource = NULL;
    int32_t number = rd_kafka_controllerid(inquiry->library, time_left(inquiry));
    if (number < 0)
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "",
                           "ask Kafka for its controller: no answer");
    (void)snprintf(broker, sizeof(broker), "%d", number);
    rd_kafka_event_t *event = describe(inquiry, RD_KAFKA_RESOURCE_BROKER, broker, &resource);
    if (!event)
        return OUTBOX_OK;
    inquiry->creates_topics =
        entry_of(resource, "auto.create.topics.enable", value, sizeof(value)) &&
        strcmp(value, "true") == 0;
    if (inquiry->check->destination_count == 0)
        check_size(inquiry, number_of(resource, "message.max.bytes"), "a broker",
                   "message.max.bytes");
    rd_kafka_event_destroy(event);
    return OUTBOX_OK;
}

enum outbox_status kafka_check(struct outbox_publisher *publisher,
                               const struct outbox_publisher_check *check, int64_t deadline,
                               outbox_check_line *line, void *context, struct outbox_error *error)
{
    struct inquiry inquiry = {.publisher = publisher,
                              .check = check,
                              .deadline = deadline,
                              .line = line,
                              .context = context};
    enum outbox_status status = start(&inquiry, error);
    if (status == OUTBOX_OK)
        status = check_broker(&inquiry, error);
    for (uint64_t i = 0; i < check->destination_count && status == OUTBOX_OK; i++) {
        const struct outbox_message *destination =
            (const struct outbox_message *)(const void *)((const char *)check->destinations +
                                                          i * check->destination_size);
        status = check_topic(&inquiry, destination, error);
    }
    end(&inquiry);
    return status;
}
