/*
 * cluster.c - which node of a Redis Cluster has which slot
 * SPDX-License-Identifier: MIT
 */
#include "cluster.h"

#include <stdlib.h>

bool cluster_init(struct cluster *cluster)
{
    atomic_store(&cluster->node_count, 1);
    return pthread_mutex_init(&cluster->mutex, NULL) == 0;
}

void cluster_clear(struct cluster *cluster)
{
    unsigned count = atomic_load(&cluster->node_count);
    for (unsigned node = 1; node < count; node++) {
        free(cluster->nodes[node].host);
        free(cluster->nodes[node].port);
    }
    (void)pthread_mutex_destroy(&cluster->mutex);
}

/* CRC-16/XMODEM, as the specification of Redis Cluster asks. */
static uint16_t crc16(const char *data, uint64_t len)
{
    unsigned crc = 0;
    for (uint64_t i = 0; i < len; i++) {
        crc ^= (unsigned)(unsigned char)data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
        crc &= 0xFFFF;
    }
    return (uint16_t)crc;
}

unsigned cluster_slot(struct outbox_slice key)
{
    const char *open = key.len > 0 ? memchr(key.data, '{', key.len) : NULL;
    if (open) {
        uint64_t left = key.len - (uint64_t)(open + 1 - key.data);
        const char *end = memchr(open + 1, '}', left);
        if (end && end > open + 1)
            key = (struct outbox_slice){open + 1, (uint64_t)(end - open - 1)};
    }
    return crc16(key.data, key.len) % CLUSTER_SLOTS;
}

static unsigned find_or_add(struct cluster *cluster, const char *host, const char *port)
{
    unsigned count = atomic_load_explicit(&cluster->node_count, memory_order_relaxed);
    for (unsigned node = 1; node < count; node++)
        if (strcmp(cluster->nodes[node].host, host) == 0 &&
            strcmp(cluster->nodes[node].port, port) == 0)
            return node;
    if (count == CLUSTER_NODES)
        return 0;
    struct place place = {strdup(host), strdup(port)};
    if (!place.host || !place.port) {
        free(place.host);
        free(place.port);
        return 0;
    }
    cluster->nodes[count] = place;
    atomic_store_explicit(&cluster->node_count, count + 1, memory_order_release);
    return count;
}

unsigned cluster_node(struct cluster *cluster, const char *host, const char *port)
{
    (void)pthread_mutex_lock(&cluster->mutex);
    unsigned node = find_or_add(cluster, host, port);
    (void)pthread_mutex_unlock(&cluster->mutex);
    return node;
}

void cluster_move(struct cluster *cluster, unsigned slot, unsigned node)
{
    atomic_store_explicit(&cluster->owners[slot], (uint16_t)node, memory_order_release);
    atomic_store_explicit(&cluster->is_there, true, memory_order_release);
}

static bool is_integer(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_INTEGER;
}

/* [first, last, [host, port, ...], replicas...] */
static void learn_range(struct cluster *cluster, const redisReply *range, const char *asked)
{
    char port[8];
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 || !is_integer(range->element[0]) ||
        !is_integer(range->element[1]))
        return;
    long long first = range->element[0]->integer, last = range->element[1]->integer;
    const redisReply *master = range->element[2];
    if (first < 0 || last >= (long long)CLUSTER_SLOTS || master->type != REDIS_REPLY_ARRAY ||
        master->elements < 2 || !is_integer(master->element[1]))
        return;
    const redisReply *name = master->element[0];
    const char *host = name->type == REDIS_REPLY_STRING && name->len > 0 ? name->str : asked;
    if (!host || strcmp(host, "?") == 0)
        return;
    (void)snprintf(port, sizeof(port), "%lld", master->element[1]->integer % 100000);
    unsigned node = cluster_node(cluster, host, port);
    for (long long slot = first; slot <= last; slot++)
        cluster_move(cluster, (unsigned)slot, node);
}

void cluster_learn(struct cluster *cluster, const redisReply *slots, const char *asked)
{
    if (slots->type != REDIS_REPLY_ARRAY)
        return;
    for (size_t i = 0; i < slots->elements; i++)
        learn_range(cluster, slots->element[i], asked);
}
