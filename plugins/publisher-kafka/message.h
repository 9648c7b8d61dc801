/*
 * message.h - hands one message of a batch to the client library
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_KAFKA_MESSAGE_H
#define PUBLISHER_KAFKA_MESSAGE_H

#include "topics.h"

#include <outbox/publisher.h>

/* What `route.properties` may set. */
#define PROPERTY_PARTITION "partition"
#define PROPERTY_TIMESTAMP "timestamp"

enum handover {
    HANDED_OVER, /* its report will come */
    NO_ROOM,     /* the library's queue is full: once more, later */
    CLIENT_LOST, /* this client sends nothing any more; the refusal has a reason */
    REFUSED      /* see the refusal */
};

struct refusal {
    uint32_t outcome;
    char reason[512];
};

/* Spares looking up the topic of the message before. Starts as all zeroes. */
struct last_topic {
    rd_kafka_topic_t *handle;
    uint64_t len; /* of its name */
};

enum handover message_hand_over(struct topics *topics, struct last_topic *last,
                                const struct outbox_message *message, void *handle,
                                bool rejects_missing, struct refusal *refusal) OUTBOX_MUST_USE;

#endif
