/*
 * verdict.c - from an error of the client library to the outcome of a message
 * SPDX-License-Identifier: MIT
 */
#include "verdict.h"

static const char create_it[] = "create the topic, or add the partition";
static const char make_smaller[] =
    "raise max.message.bytes of the topic, or make the event smaller; then replay it";
static const char mend_it[] = "mend the event and replay it";
static const char grant_write[] = "grant Write on the topic";
static const char grant_idempotent[] =
    "grant IdempotentWrite on the cluster (brokers before 3.0), or set properties "
    "\"enable.idempotence\": \"false\"";
static const char choose_other[] = "choose another compression";

struct rule {
    rd_kafka_resp_err_t code;
    uint32_t outcome;
    bool is_contagious;
    const char *remedy;
};

static const struct rule rules[] = {
    /* This event, or its topic. */
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, OUTBOX_RETRY, false, grant_write},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, OUTBOX_REJECTED, false, mend_it},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, OUTBOX_REJECTED, true, make_smaller},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, OUTBOX_REJECTED, true, make_smaller},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, OUTBOX_REJECTED, true,
     "a compacted topic takes no event without a key; mend the event and replay it"},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, OUTBOX_REJECTED, true, mend_it},
    {RD_KAFKA_RESP_ERR_INVALID_MSG, OUTBOX_RETRY, false, NULL},
    /* The broker, or everything. */
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR__TRANSPORT, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR__DESTROY, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR__FATAL, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR__SSL, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, OUTBOX_AWAY, false, grant_idempotent},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, OUTBOX_AWAY, false, choose_other},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, OUTBOX_AWAY, false, NULL},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, OUTBOX_AWAY, false, NULL},
};

static bool is_missing(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

struct verdict verdict_of(rd_kafka_resp_err_t code, bool may_be_there, bool rejects_missing)
{
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return (struct verdict){.outcome = OUTBOX_ACKED};
    if (is_missing(code))
        return (struct verdict){.outcome = rejects_missing ? OUTBOX_REJECTED : OUTBOX_RETRY,
                                .remedy = create_it};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];
        if (rule->code == code)
            return (struct verdict){rule->outcome, rule->is_contagious, rule->remedy};
    }
    return (struct verdict){.outcome = may_be_there ? OUTBOX_UNKNOWN : OUTBOX_RETRY};
}

void verdict_text(const struct verdict *verdict, rd_kafka_resp_err_t code, const char *topic,
                  char *text, size_t size)
{
    (void)snprintf(text, size, "topic %s: %s (%s)%s%s", topic, rd_kafka_err2str(code),
                   rd_kafka_err2name(code), verdict->remedy ? "; " : "",
                   verdict->remedy ? verdict->remedy : "");
}

void verdict_text_of_loss(rd_kafka_resp_err_t code, char *text, size_t size)
{
    struct verdict verdict = verdict_of(code, false, false);
    (void)snprintf(text, size, "the producer cannot go on: %s (%s)%s%s", rd_kafka_err2str(code),
                   rd_kafka_err2name(code), verdict.remedy ? "; " : "",
                   verdict.remedy ? verdict.remedy : "");
}
