/*
 * ping.c - whether events could be handed over now
 * SPDX-License-Identifier: MIT
 *
 * Over a connection of its own each time: one that has stood open may be one to nowhere.
 */
#include "output.h"
#include "probe.h"
#include "publisher.h"

#include <stdlib.h>

static enum outbox_status refused(struct outbox_error *error, const char *name, const char *text)
{
    char word[32];
    const char *remedy = answer_remedy(text);
    answer_word(text, word);
    return outbox_fail(error, answer_status(text), word, "Redis at %.150s: %.200s%s%s", name, text,
                       *remedy ? ": " : "", remedy);
}

/* Tries what an event was refused, if it is this server's. */
static enum outbox_status try_refused(struct outbox_publisher *publisher, unsigned node,
                                      struct wire *wire, const char *name,
                                      const struct patience *patience, struct outbox_error *error)
{
    char topic[AWAY_TOPIC], text[PROBE_TEXT];
    uint64_t len = away_topic(&publisher->away, topic);
    struct outbox_slice key = {topic, len};
    if (len == 0 || remote_node_of(&publisher->remote, key) != node)
        return OUTBOX_OK;
    enum outbox_status status =
        probe_write(publisher->remote.settings, wire, patience, key, text, error);
    /* Where the slot has moved is learnt when an event goes there. */
    if (status != OUTBOX_OK || text[0] == '\0' || answer_is(text, "MOVED") ||
        answer_is(text, "ASK") || answer_outcome(text) != OUTBOX_AWAY)
        return status;
    return refused(error, name, text);
}

/* Whether there are as many replicas as events shall have. */
static enum outbox_status count_replicas(const struct settings *settings, struct wire *wire,
                                         const char *name, const struct patience *patience,
                                         struct outbox_error *error)
{
    char number[24];
    (void)snprintf(number, sizeof(number), "%lld", (long long)settings->wait_replicas);
    const struct outbox_slice command[] = {outbox_slice_of("WAIT"), outbox_slice_of(number),
                                           outbox_slice_of("1")};
    redisReply *reply = NULL;
    if (settings->wait_replicas == 0)
        return OUTBOX_OK;
    enum outbox_status status = remote_ask(wire, patience, command, 3, &reply, error);
    if (status != OUTBOX_OK)
        return status;
    if (reply->type == REDIS_REPLY_ERROR)
        status = refused(error, name, reply->str);
    else if (reply->type == REDIS_REPLY_INTEGER && reply->integer < settings->wait_replicas)
        status = outbox_fail(error, OUTBOX_UNAVAILABLE, "WAIT",
                             "Redis at %.150s has %lld replicas, and wait_replicas is %lld", name,
                             reply->integer, (long long)settings->wait_replicas);
    freeReplyObject(reply);
    return status;
}

/* Connects, which includes a PING, and looks. */
static enum outbox_status visit(struct outbox_publisher *publisher, unsigned node,
                                const struct patience *patience, struct outbox_error *error)
{
    struct wire wire;
    struct greeting greeting;
    enum outbox_status status =
        remote_connect(&publisher->remote, node, patience, &wire, &greeting, error);
    if (status != OUTBOX_OK)
        return status;
    status = try_refused(publisher, node, &wire, greeting.name, patience, error);
    if (status == OUTBOX_OK)
        status = count_replicas(publisher->remote.settings, &wire, greeting.name, patience, error);
    wire_close(&wire);
    return status;
}

/* A node that is there, which tells of the others: the configured one, or else any that is known.
 */
static enum outbox_status find_cluster(struct outbox_publisher *publisher,
                                       const struct patience *patience, struct outbox_error *error)
{
    struct remote *remote = &publisher->remote;
    unsigned count = atomic_load(&remote->cluster.node_count);
    struct patience first = *patience;
    /* One that is silent leaves time for the others. */
    if (count > 1)
        first = patience_within(patience, patience_left(patience) / 2);
    enum outbox_status status = visit(publisher, 0, &first, error);
    for (unsigned node = 1; status != OUTBOX_OK && node < count && patience_left(patience) > 0;
         node++) {
        struct outbox_error other = OUTBOX_ERROR_INIT;
        struct wire wire;
        struct greeting greeting;
        struct patience share = patience_within(patience, patience_left(patience) / 2);
        if (remote_connect(remote, node, &share, &wire, &greeting, &other) != OUTBOX_OK)
            continue;
        status = remote_learn(remote, &wire, &greeting, &share, error);
        wire_close(&wire);
    }
    return status;
}

/* Every node that events have gone to must be there. */
static enum outbox_status visit_cluster(struct outbox_publisher *publisher,
                                        const struct patience *patience, struct outbox_error *error)
{
    struct cluster *cluster = &publisher->remote.cluster;
    enum outbox_status status = OUTBOX_OK;
    bool *visited = calloc(CLUSTER_NODES, sizeof(*visited));
    if (!visited)
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "ping the cluster: out of memory");
    for (unsigned slot = 0; slot < CLUSTER_SLOTS && status == OUTBOX_OK; slot++) {
        unsigned node = atomic_load_explicit(&cluster->owners[slot], memory_order_acquire);
        if (!atomic_load_explicit(&cluster->used[slot], memory_order_relaxed) || visited[node])
            continue;
        visited[node] = true;
        status = visit(publisher, node, patience, error);
    }
    free(visited);
    return status;
}

enum outbox_status publisher_ping(struct outbox_publisher *publisher, int64_t deadline,
                                  struct outbox_error *error)
{
    const struct patience patience = {publisher->host, deadline, -1};
    struct output_signals signals;
    output_signals_begin(&signals);
    enum outbox_status status = find_cluster(publisher, &patience, error);
    if (status == OUTBOX_OK && atomic_load(&publisher->remote.cluster.is_there))
        status = visit_cluster(publisher, &patience, error);
    output_signals_end(&signals);
    if (status == OUTBOX_OK)
        away_end(&publisher->away);
    return status;
}
