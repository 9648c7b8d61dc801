/*
 * topics.c - the handles of a client for the topics it has sent to
 * SPDX-License-Identifier: MIT
 */
#include "topics.h"

#include <stdlib.h>

#define FIRST_CAPACITY 64

struct topic {
    rd_kafka_topic_t *handle; /* NULL: the slot is free */
    uint64_t hash, len;
};

bool topics_init(struct topics *topics, rd_kafka_t *client)
{
    *topics = (struct topics){.client = client, .capacity = FIRST_CAPACITY};
    topics->slots = calloc(FIRST_CAPACITY, sizeof(*topics->slots));
    if (topics->slots && pthread_mutex_init(&topics->lock, NULL) == 0)
        return true;
    free(topics->slots);
    return false;
}

void topics_clear(struct topics *topics)
{
    for (uint64_t i = 0; i < topics->capacity; i++) {
        if (topics->slots[i].handle)
            rd_kafka_topic_destroy(topics->slots[i].handle);
    }
    free(topics->slots);
    (void)pthread_mutex_destroy(&topics->lock);
}

bool topic_is_legal(struct outbox_slice name)
{
    if (name.len == 0 || name.len > LONGEST_TOPIC)
        return false;
    for (uint64_t i = 0; i < name.len; i++) {
        char byte = name.data[i];
        bool is_alphanumeric = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                               (byte >= '0' && byte <= '9');
        if (!is_alphanumeric && byte != '.' && byte != '_' && byte != '-')
            return false;
    }
    return !(name.data[0] == '.' && (name.len == 1 || (name.len == 2 && name.data[1] == '.')));
}

/* FNV-1a */
static uint64_t hash_of(struct outbox_slice name)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (uint64_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * UINT64_C(1099511628211);
    return hash;
}

/* The slot of that name, or the free one where it belongs. */
static struct topic *slot_of(struct topic *slots, uint64_t capacity, uint64_t hash,
                             struct outbox_slice name)
{
    uint64_t at = hash & (capacity - 1);
    for (;; at = (at + 1) & (capacity - 1)) {
        struct topic *slot = &slots[at];
        if (!slot->handle || (slot->hash == hash && slot->len == name.len &&
                              memcmp(rd_kafka_topic_name(slot->handle), name.data, name.len) == 0))
            return slot;
    }
}

static bool grow(struct topics *topics)
{
    uint64_t capacity = 2 * topics->capacity;
    struct topic *slots = calloc(capacity, sizeof(*slots));
    if (!slots)
        return false;
    for (uint64_t i = 0; i < topics->capacity; i++) {
        const struct topic *old = &topics->slots[i];
        if (old->handle) {
            struct outbox_slice name = {rd_kafka_topic_name(old->handle), old->len};
            *slot_of(slots, capacity, old->hash, name) = *old;
        }
    }
    free(topics->slots);
    topics->slots = slots;
    topics->capacity = capacity;
    return true;
}

static rd_kafka_topic_t *add(struct topics *topics, uint64_t hash, struct outbox_slice name)
{
    char text[LONGEST_TOPIC + 1];
    if (topics->count >= topics->capacity / 2 && !grow(topics))
        return NULL;
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    rd_kafka_topic_t *handle = rd_kafka_topic_new(topics->client, text, NULL);
    if (!handle)
        return NULL;
    *slot_of(topics->slots, topics->capacity, hash, name) =
        (struct topic){.handle = handle, .hash = hash, .len = name.len};
    topics->count++;
    return handle;
}

rd_kafka_topic_t *topics_find(struct topics *topics, struct outbox_slice name)
{
    uint64_t hash = hash_of(name);
    (void)pthread_mutex_lock(&topics->lock);
    rd_kafka_topic_t *handle = slot_of(topics->slots, topics->capacity, hash, name)->handle;
    if (!handle)
        handle = add(topics, hash, name);
    (void)pthread_mutex_unlock(&topics->lock);
    return handle;
}

uint64_t topics_count(struct topics *topics)
{
    (void)pthread_mutex_lock(&topics->lock);
    uint64_t count = topics->count;
    (void)pthread_mutex_unlock(&topics->lock);
    return count;
}
