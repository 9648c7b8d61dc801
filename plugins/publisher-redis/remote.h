/*
 * remote.h - the server or servers at the other end: finds them, connects and logs in
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_REMOTE_H
#define PUBLISHER_REDIS_REMOTE_H

#include "cluster.h"
#include "settings.h"
#include "wire.h"

/* Names a server in messages: host and port, or a path. */
#define REMOTE_NAME 288

/* What all connections share. Any thread. */
struct remote {
    const struct outbox_host *host;
    struct settings *settings;
    struct tls *tls; /* NULL: plain */
    struct cluster cluster;
};

/* Takes the settings over, also on failure. */
enum outbox_status remote_open(struct remote *remote, const struct outbox_host *host,
                               struct settings *settings,
                               struct outbox_error *error) OUTBOX_MUST_USE;
void remote_close(struct remote *remote);

/* What a server said of itself at the login. */
struct greeting {
    char name[REMOTE_NAME];
    char host[256];   /* by which it was reached; "" for a Unix socket */
    uint64_t longest; /* argument of a command that it takes */
};

/* Connects to a node and logs in; node 0 is the server of the configuration, which is looked up at
 * the sentinels if there are any. What it says of a cluster is learnt. The error names the server.
 */
enum outbox_status remote_connect(struct remote *remote, unsigned node,
                                  const struct patience *patience, struct wire *wire,
                                  struct greeting *greeting,
                                  struct outbox_error *error) OUTBOX_MUST_USE;

/* Asks a node of a cluster, which need not be the configured one, for all of it. */
enum outbox_status remote_learn(struct remote *remote, struct wire *wire,
                                const struct greeting *greeting, const struct patience *patience,
                                struct outbox_error *error) OUTBOX_MUST_USE;

/* One command on a connection that nobody else uses. The reply may be an error of Redis; it is to
 * be freed with freeReplyObject(). */
enum outbox_status remote_ask(struct wire *wire, const struct patience *patience,
                              const struct outbox_slice *arguments, uint64_t count,
                              redisReply **reply, struct outbox_error *error) OUTBOX_MUST_USE;

/* The node that has this key, as far as is known. */
static inline unsigned remote_node_of(struct remote *remote, struct outbox_slice key)
{
    struct cluster *cluster = &remote->cluster;
    if (!atomic_load_explicit(&cluster->is_there, memory_order_acquire))
        return 0;
    unsigned slot = cluster_slot(key);
    if (!atomic_load_explicit(&cluster->used[slot], memory_order_relaxed))
        atomic_store_explicit(&cluster->used[slot], true, memory_order_relaxed);
    return atomic_load_explicit(&cluster->owners[slot], memory_order_acquire);
}

#endif
