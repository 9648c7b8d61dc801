/*
 * cluster.h - which node of a Redis Cluster has which slot
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_CLUSTER_H
#define PUBLISHER_REDIS_CLUSTER_H

#include "settings.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>

#define CLUSTER_SLOTS 16384u
#define CLUSTER_NODES 1024u

/* Node 0 is the server of the configuration; it answers for every slot of which nothing is known,
 * and for all of them where there is no cluster. The others are learnt and never forgotten, so that
 * their numbers hold. Any thread. */
struct cluster {
    pthread_mutex_t mutex;
    _Atomic bool is_there;
    _Atomic uint16_t owners[CLUSTER_SLOTS];
    _Atomic bool used[CLUSTER_SLOTS]; /* slots that events went to */
    struct place nodes[CLUSTER_NODES];
    _Atomic unsigned node_count;
};

bool cluster_init(struct cluster *cluster) OUTBOX_MUST_USE;
void cluster_clear(struct cluster *cluster);

/* The slot of a key: of what stands in its first braces if that is not empty, else of all of it. */
unsigned cluster_slot(struct outbox_slice key) OUTBOX_MUST_USE;

/* The number of the node at that address; 0 if there are too many. */
unsigned cluster_node(struct cluster *cluster, const char *host, const char *port) OUTBOX_MUST_USE;

/* The address of node number `node`, which is not 0. Stays until the cluster is cleared. */
static inline const struct place *cluster_place(const struct cluster *cluster, unsigned node)
{
    return &cluster->nodes[node];
}

void cluster_move(struct cluster *cluster, unsigned slot, unsigned node);

/* Takes in the answer to CLUSTER SLOTS. `asked` is the host that gave it, which may name itself by
 * no address; NULL for a Unix socket. */
void cluster_learn(struct cluster *cluster, const redisReply *slots, const char *asked);

#endif
