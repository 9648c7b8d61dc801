/*
 * answer.c - what the answer to a published message means
 * SPDX-License-Identifier: MIT
 */
#include "answer.h"

#include <jansson.h>

enum { HTTP_UNAVAILABLE = 503 };

/* Codes of the JetStream API, as server and library list them. */
struct rule {
    int code;
    uint32_t outcome;
    const char *remedy;
};

static const char make_room[] = "raise the limit or make room";
static const char enable_it[] = "enable JetStream for this account and server";
static const char expected_it[] = "the property of route.properties asked for it";

static const struct rule rules[] = {
    /* This event. */
    {10054, OUTBOX_REJECTED, "raise the stream's max_msg_size, or send less"},
    {10097, OUTBOX_REJECTED, "leave some headers out by route.headers"},
    {10070, OUTBOX_REJECTED, expected_it}, /* wrong last message id */
    {10071, OUTBOX_REJECTED, expected_it}, /* wrong last sequence */
    {10060, OUTBOX_RETRY, expected_it},    /* another stream takes the subject */
    {10109, OUTBOX_RETRY, "the stream is sealed for good: let another one take the subject"},
    {10110, OUTBOX_RETRY, "the stream has to allow rollup headers"},
    /* The server, or all of a stream. */
    {10002, OUTBOX_AWAY, make_room}, /* resources of the account */
    {10023, OUTBOX_AWAY, make_room}, /* insufficient resources */
    {10028, OUTBOX_AWAY, make_room}, /* memory */
    {10047, OUTBOX_AWAY, make_room}, /* storage */
    {10053, OUTBOX_AWAY, make_room}, /* limits of the stream */
    {10077, OUTBOX_AWAY, make_room}, /* storing failed: full, or the disk did */
    {10120, OUTBOX_AWAY, make_room},
    {10122, OUTBOX_AWAY, make_room},
    {10035, OUTBOX_AWAY, enable_it},
    {10039, OUTBOX_AWAY, enable_it},
    {10076, OUTBOX_AWAY, enable_it},
    {10004, OUTBOX_AWAY, NULL}, /* the cluster is not whole */
    {10005, OUTBOX_AWAY, NULL},
    {10007, OUTBOX_AWAY, NULL},
    {10008, OUTBOX_AWAY, NULL}, /* temporarily not available */
    {10009, OUTBOX_AWAY, NULL}, /* no leader */
    {10041, OUTBOX_AWAY, NULL},
    {10118, OUTBOX_AWAY, NULL}, /* the stream is offline */
};

bool answer_is_plain_ack(const char *data, size_t len)
{
    static const char start[] = "{\"stream\":\"", sequence[] = "\"seq\":", error[] = "\"error\"",
                      repeated[] = "\"duplicate\"";
    return len > sizeof(start) && memcmp(data, start, sizeof(start) - 1) == 0 &&
           data[len - 1] == '}' && data[sizeof(start) - 1] != '"' &&
           memmem(data, len, sequence, sizeof(sequence) - 1) &&
           !memmem(data, len, error, sizeof(error) - 1) &&
           !memmem(data, len, repeated, sizeof(repeated) - 1);
}

static const struct rule *rule_of(int code)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].code == code)
            return &rules[i];
    }
    return NULL;
}

static void judge_error(const json_t *answer, const json_t *error, struct verdict *verdict)
{
    const char *stream = json_string_value(json_object_get(answer, "stream"));
    const char *description = json_string_value(json_object_get(error, "description"));
    int status = (int)json_integer_value(json_object_get(error, "code"));
    int code = (int)json_integer_value(json_object_get(error, "err_code"));
    const struct rule *rule = rule_of(code);
    const char *remedy = rule ? rule->remedy : NULL;
    verdict->outcome = rule                         ? rule->outcome
                       : status == HTTP_UNAVAILABLE ? OUTBOX_AWAY
                                                    : OUTBOX_RETRY;
    /* A limit for each subject is about this one, and the others go on. */
    if (verdict->outcome == OUTBOX_AWAY && description && strstr(description, "per subject"))
        verdict->outcome = OUTBOX_RETRY;
    (void)snprintf(verdict->reason, sizeof(verdict->reason),
                   "stream %.64s refused it: %.120s (%d)%s%s", stream && *stream ? stream : "?",
                   description ? description : "no reason given", code ? code : status,
                   remedy ? "; " : "", remedy ? remedy : "");
}

static void judge(const json_t *answer, struct verdict *verdict)
{
    const json_t *error = json_object_get(answer, "error");
    if (json_is_object(error)) {
        judge_error(answer, error, verdict);
        return;
    }
    const char *stream = json_string_value(json_object_get(answer, "stream"));
    if (stream && *stream && json_integer_value(json_object_get(answer, "seq")) > 0) {
        verdict->outcome = OUTBOX_ACKED;
        verdict->is_duplicate = json_is_true(json_object_get(answer, "duplicate"));
        return;
    }
    verdict->outcome = OUTBOX_RETRY;
    (void)snprintf(verdict->reason, sizeof(verdict->reason),
                   "what answered is not a stream; somebody else answers requests to this subject");
}

void answer_read(const char *data, size_t len, struct verdict *verdict)
{
    *verdict = (struct verdict){.outcome = OUTBOX_RETRY};
    json_t *answer = json_loadb(data, len, 0, NULL);
    judge(answer, verdict); /* of no JSON at all: not a stream */
    json_decref(answer);
}

void answer_missing(bool is_sure, bool rejects_missing, struct verdict *verdict)
{
    *verdict = (struct verdict){.outcome = OUTBOX_RETRY};
    if (is_sure && rejects_missing)
        verdict->outcome = OUTBOX_REJECTED;
    (void)snprintf(verdict->reason, sizeof(verdict->reason), "no stream takes it, %s; make one: %s",
                   is_sure ? "or its stream has no leader (503 no responders)"
                           : "or its stream is too busy to acknowledge",
                   "nats stream add --subjects SUBJECT");
}

void answer_gone(struct verdict *verdict)
{
    *verdict = (struct verdict){.outcome = OUTBOX_AWAY};
    (void)snprintf(verdict->reason, sizeof(verdict->reason),
                   "its stream is gone, has no leader, or its server is about to stop (503 no "
                   "responders)");
}
