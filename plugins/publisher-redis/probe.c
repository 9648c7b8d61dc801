/*
 * probe.c - whether Redis would take an event, without handing it one
 * SPDX-License-Identifier: MIT
 */
#include "probe.h"

#include "answer.h"

/* What Redis says of the id, when nothing else is wrong. */
static bool is_about_id(const char *text)
{
    return strstr(text, "ID") != NULL && answer_is(text, "ERR");
}

enum outbox_status probe_write(const struct settings *settings, struct wire *wire,
                               const struct patience *patience, struct outbox_slice topic,
                               char text[PROBE_TEXT], struct outbox_error *error)
{
    const struct outbox_slice command[] = {outbox_slice_of("XADD"), topic, outbox_slice_of("0-0"),
                                           outbox_slice_of("probe"), outbox_slice_of("")};
    redisReply *reply = NULL;
    text[0] = '\0';
    /* Nothing keeps Redis from handing on what nobody stores. */
    if (settings->kind == KIND_PUBSUB)
        return OUTBOX_OK;
    enum outbox_status status = remote_ask(wire, patience, command, 5, &reply, error);
    if (status != OUTBOX_OK)
        return status;
    bool is_error = reply->type == REDIS_REPLY_ERROR && !is_about_id(reply->str);
    /* The user may have the right to RPUSH and none to XADD; and a list is no stream. */
    bool is_beside = settings->kind == KIND_LIST && is_error &&
                     (answer_is(reply->str, "NOPERM") || answer_is(reply->str, "WRONGTYPE"));
    if (is_error && !is_beside)
        (void)snprintf(text, PROBE_TEXT, "%s", reply->str);
    freeReplyObject(reply);
    return OUTBOX_OK;
}
