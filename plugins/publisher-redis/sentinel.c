/*
 * sentinel.c - asks Redis Sentinel where the master is
 * SPDX-License-Identifier: MIT
 */
#include "sentinel.h"

#include "answer.h"
#include "login.h"
#include "socket.h"

#include <stdlib.h>

static enum outbox_status take_address(const struct settings *settings, const redisReply *reply,
                                       struct place *place, struct outbox_error *error)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return outbox_fail(error, answer_status(reply->str), "", "%.200s", reply->str);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING)
        return outbox_fail(error, OUTBOX_SCHEMA, "",
                           "it knows no master called \"%.80s\": check \"master_name\"",
                           settings->master_name);
    *place = (struct place){strdup(reply->element[0]->str), strdup(reply->element[1]->str)};
    if (place->host && place->port)
        return OUTBOX_OK;
    free(place->host);
    free(place->port);
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "out of memory");
}

static enum outbox_status ask(const struct settings *settings, struct wire *wire,
                              const struct patience *patience, struct place *place,
                              struct outbox_error *error)
{
    const struct outbox_slice question[] = {outbox_slice_of("SENTINEL"),
                                            outbox_slice_of("get-master-addr-by-name"),
                                            outbox_slice_of(settings->master_name)};
    redisReply *reply = NULL;
    enum outbox_status status = login_at_sentinel(settings, patience, wire, error);
    if (status == OUTBOX_OK)
        status = remote_ask(wire, patience, question, 3, &reply, error);
    if (status == OUTBOX_OK)
        status = take_address(settings, reply, place, error);
    freeReplyObject(reply);
    return status;
}

enum outbox_status sentinel_find(struct remote *remote, const struct patience *patience,
                                 struct place *place, struct outbox_error *error)
{
    const struct settings *settings = remote->settings;
    enum outbox_status status = OUTBOX_UNAVAILABLE;
    for (uint64_t i = 0; i < settings->sentinel_count && status != OUTBOX_OK; i++) {
        const struct place *sentinel = &settings->sentinels[i];
        struct outbox_error why = OUTBOX_ERROR_INIT;
        struct wire wire;
        int fd = -1;
        /* One that does not answer leaves time for the others and for the master. */
        struct patience share = patience_within(
            patience, patience_left(patience) / (int64_t)(settings->sentinel_count - i + 1));
        status = socket_connect(sentinel, settings->response_timeout, &share, &fd, &why);
        if (status == OUTBOX_OK)
            status = wire_open(&wire, fd, remote->tls, sentinel->host, &share, &why);
        if (status == OUTBOX_OK) {
            status = ask(settings, &wire, &share, place, &why);
            wire_close(&wire);
        }
        if (status != OUTBOX_OK)
            status = outbox_fail(error, status, why.native,
                                 "ask the sentinel %.150s:%.8s for the master: %.250s",
                                 sentinel->host, sentinel->port, why.text);
    }
    return status;
}
