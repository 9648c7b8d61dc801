/*
 * remote.c - the server or servers at the other end: finds them, connects and logs in
 * SPDX-License-Identifier: MIT
 */
#include "remote.h"

#include "answer.h"
#include "login.h"
#include "sentinel.h"
#include "socket.h"

#include <stdlib.h>

enum outbox_status remote_open(struct remote *remote, const struct outbox_host *host,
                               struct settings *settings, struct outbox_error *error)
{
    remote->host = host;
    remote->settings = settings;
    remote->tls = NULL;
    if (!cluster_init(&remote->cluster)) {
        settings_free(&remote->settings);
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the publisher: out of memory");
    }
    enum outbox_status status = settings->tls ? tls_new(settings, &remote->tls, error) : OUTBOX_OK;
    if (status != OUTBOX_OK)
        remote_close(remote);
    return status;
}

void remote_close(struct remote *remote)
{
    tls_free(&remote->tls);
    cluster_clear(&remote->cluster);
    settings_free(&remote->settings);
}

static void name_place(char name[REMOTE_NAME], const struct place *place)
{
    bool is_v6 = strchr(place->host, ':') != NULL;
    (void)snprintf(name, REMOTE_NAME, is_v6 ? "[%.260s]:%.8s" : "%.260s:%.8s", place->host,
                   place->port);
}

/* Connects to the place, or to the path where that is NULL. */
static enum outbox_status connect_to(struct remote *remote, const struct place *place,
                                     const struct patience *patience, struct wire *wire,
                                     struct greeting *greeting, struct outbox_error *error)
{
    const struct settings *settings = remote->settings;
    int fd = -1;
    enum outbox_status status;
    if (place) {
        name_place(greeting->name, place);
        (void)snprintf(greeting->host, sizeof(greeting->host), "%s", place->host);
        status = socket_connect(place, settings->response_timeout, patience, &fd, error);
    } else {
        (void)snprintf(greeting->name, sizeof(greeting->name), "%s", settings->path);
        greeting->host[0] = '\0';
        status = socket_connect_path(settings->path, patience, &fd, error);
    }
    if (status != OUTBOX_OK)
        return status;
    return wire_open(wire, fd, remote->tls, place ? place->host : "", patience, error);
}

static enum outbox_status connect_and_log_in(struct remote *remote, const struct place *place,
                                             unsigned node, const struct patience *patience,
                                             struct wire *wire, struct greeting *greeting,
                                             struct outbox_error *error)
{
    struct outbox_error why = OUTBOX_ERROR_INIT;
    enum outbox_status status = connect_to(remote, place, patience, wire, greeting, &why);
    if (status == OUTBOX_OK) {
        status = login(remote, node, place ? place->host : NULL, patience, wire, greeting, &why);
        if (status != OUTBOX_OK)
            wire_close(wire);
    }
    if (status != OUTBOX_OK)
        return outbox_fail(error, status, why.native, "connect to Redis at %.200s: %.240s",
                           greeting->name, why.text);
    return OUTBOX_OK;
}

enum outbox_status remote_connect(struct remote *remote, unsigned node,
                                  const struct patience *patience, struct wire *wire,
                                  struct greeting *greeting, struct outbox_error *error)
{
    const struct settings *settings = remote->settings;
    struct patience limited = patience_within(patience, settings->connect_timeout);
    struct place found = {NULL, NULL};
    const struct place *place = &settings->server;
    if (node > 0)
        place = cluster_place(&remote->cluster, node);
    else if (settings->path)
        place = NULL;
    else if (settings->sentinel_count > 0) {
        enum outbox_status status = sentinel_find(remote, &limited, &found, error);
        if (status != OUTBOX_OK)
            return status;
        place = &found;
    }
    enum outbox_status status =
        connect_and_log_in(remote, place, node, &limited, wire, greeting, error);
    free(found.host);
    free(found.port);
    return status;
}

enum outbox_status remote_learn(struct remote *remote, struct wire *wire,
                                const struct greeting *greeting, const struct patience *patience,
                                struct outbox_error *error)
{
    const struct outbox_slice command[] = {outbox_slice_of("CLUSTER"), outbox_slice_of("SLOTS")};
    redisReply *reply = NULL;
    enum outbox_status status = remote_ask(wire, patience, command, 2, &reply, error);
    if (status != OUTBOX_OK)
        return status;
    if (reply->type == REDIS_REPLY_ERROR)
        status = outbox_fail(error, answer_status(reply->str), "",
                             "CLUSTER SLOTS at %.200s: %.200s", greeting->name, reply->str);
    else
        cluster_learn(&remote->cluster, reply, greeting->host[0] != '\0' ? greeting->host : NULL);
    freeReplyObject(reply);
    return status;
}

enum outbox_status remote_ask(struct wire *wire, const struct patience *patience,
                              const struct outbox_slice *arguments, uint64_t count,
                              redisReply **reply, struct outbox_error *error)
{
    *reply = NULL;
    if (!wire_command(wire, arguments, count))
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "out of memory");
    return wire_reply(wire, patience, reply, error);
}
