/*
 * topics.h - the handles of a client for the topics it has sent to
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_KAFKA_TOPICS_H
#define PUBLISHER_KAFKA_TOPICS_H

#include <librdkafka/rdkafka.h>
#include <outbox/types.h>
#include <pthread.h>
#include <stdbool.h>

#define LONGEST_TOPIC 249

/* Any thread. A handle stays until topics_clear(). */
struct topics {
    rd_kafka_t *client;
    pthread_mutex_t lock;
    struct topic *slots; /* a hash table whose size is a power of two */
    uint64_t capacity, count;
};

bool topics_init(struct topics *topics, rd_kafka_t *client) OUTBOX_MUST_USE;
void topics_clear(struct topics *topics);

/* Whether a broker would take the name. */
bool topic_is_legal(struct outbox_slice name) OUTBOX_MUST_USE;

/* The handle of a topic with a legal name; NULL if the memory is used up. */
rd_kafka_topic_t *topics_find(struct topics *topics, struct outbox_slice name) OUTBOX_MUST_USE;

/* How many topics the client has come to know. The library never forgets one. */
uint64_t topics_count(struct topics *topics) OUTBOX_MUST_USE;

#endif
