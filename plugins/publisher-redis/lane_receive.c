/*
 * lane_receive.c - what comes back on the connections of a lane, and what does not
 * SPDX-License-Identifier: MIT
 */
#include "failure.h"
#include "lane.h"

#include <errno.h>

#define MOST_REDIRECTS 8u

/* ---- Losing a connection ------------------------------------------------------------------ */

void lane_lose(struct lane *lane, struct link *link, enum outbox_outcome outcome,
               const char *reason)
{
    struct flights *flights = &link->flights;
    for (; flights->head != flights->tail; flights->head++) {
        const struct flight *flight = flights_at(flights, flights->head);
        if (flight->batch)
            results_add(&lane->results, flight->batch, flight->index, outcome, reason);
    }
    link_close(link);
}

void lane_give_up(struct lane *lane, struct link *link, const char *native_code, const char *why)
{
    char reason[RESULTS_REASON];
    (void)snprintf(reason, sizeof(reason), "the connection to Redis at %.200s is lost: %.200s",
                   link->greeting.name, why);
    if (flights_are_none(&link->flights)) {
        /* Servers close idle connections. The next message makes a new one. */
        outbox_log(lane->remote->host, OUTBOX_LOG_DEBUG, "%s", reason);
        link_close(link);
        return;
    }
    away_begin(lane->away, OUTBOX_UNAVAILABLE, native_code, reason, (struct outbox_slice){NULL, 0});
    lane_lose(lane, link, OUTBOX_AWAY, reason);
}

/* ---- Answers ------------------------------------------------------------------------------ */

/* What is true of an event whose command failed. */
static void end_message(struct lane *lane, const struct flight *flight, enum outbox_outcome outcome,
                        const char *text, const char *remedy)
{
    char reason[RESULTS_REASON], word[32];
    struct outbox_slice topic = outbox_batch_at(flight->batch, flight->index)->topic;
    (void)snprintf(reason, sizeof(reason), "%s to \"%.*s\": %.200s%s%s",
                   entry_command(lane->remote->settings), (int)(topic.len < 100 ? topic.len : 100),
                   topic.len ? topic.data : "", text, *remedy ? ": " : "", remedy);
    answer_word(text, word);
    if (outcome == OUTBOX_AWAY) {
        enum outbox_status status = answer_status(text);
        away_begin(lane->away, status, word, reason, topic);
    }
    results_add(&lane->results, flight->batch, flight->index, outcome, reason);
}

/* Sends a message to where the cluster says that its slot is. */
static void follow(struct lane *lane, struct link *link, const struct flight *flight,
                   const struct redirect *redirect)
{
    struct cluster *cluster = &lane->remote->cluster;
    const char *host = *redirect->host ? redirect->host : link->greeting.host;
    unsigned node = *host ? cluster_node(cluster, host, redirect->port) : 0;
    if (node == 0 || flight->redirects >= MOST_REDIRECTS) {
        end_message(lane, flight, OUTBOX_AWAY, link->answer.text,
                    "the cluster sends the event from node to node: see CLUSTER NODES");
        return;
    }
    if (!redirect->is_ask)
        cluster_move(cluster, redirect->slot, node);
    lane_send_again(lane, (struct queued){.batch = flight->batch,
                                          .index = flight->index,
                                          .ask_node = redirect->is_ask ? (uint16_t)node : 0,
                                          .redirects = (uint8_t)(flight->redirects + 1)});
}

static void take_error(struct lane *lane, struct link *link, const struct flight *flight)
{
    const char *text = link->answer.text;
    struct redirect redirect;
    if (answer_redirect(text, &redirect))
        follow(lane, link, flight, &redirect);
    else
        end_message(lane, flight, answer_outcome(text), text, answer_remedy(text));
}

/* NOMKSTREAM and no stream. */
static void take_missing(struct lane *lane, const struct flight *flight)
{
    end_message(lane, flight,
                lane->remote->settings->on_missing == MISSING_REJECT ? OUTBOX_REJECTED
                                                                     : OUTBOX_RETRY,
                "the stream is not there",
                "create it (XGROUP CREATE ... MKSTREAM), or set on_missing_stream to create");
}

/* False for an answer that no such command has. */
static bool take_message(struct lane *lane, struct link *link, struct flight *flight)
{
    const struct settings *settings = lane->remote->settings;
    int wanted = settings->kind == KIND_STREAM ? REDIS_REPLY_STRING : REDIS_REPLY_INTEGER;
    if (!flight->batch)
        return true; /* it was given up */
    if (link->answer.type == wanted) {
        flight->is_answered = settings->wait_replicas > 0;
        if (flight->is_answered)
            return true;
        results_add(&lane->results, flight->batch, flight->index, OUTBOX_ACKED, NULL);
    } else if (link->answer.type == REDIS_REPLY_ERROR) {
        take_error(lane, link, flight);
    } else if (link->answer.type == REDIS_REPLY_NIL && settings->kind == KIND_STREAM) {
        take_missing(lane, flight);
    } else {
        return false;
    }
    flight->batch = NULL;
    return true;
}

/* How many replicas have what was sent before this WAIT. */
static void take_wait(struct lane *lane, struct link *link)
{
    const struct settings *settings = lane->remote->settings;
    const struct answer *answer = &link->answer;
    char reason[RESULTS_REASON];
    bool is_error = answer->type == REDIS_REPLY_ERROR;
    bool is_there =
        answer->type == REDIS_REPLY_INTEGER && answer->integer >= settings->wait_replicas;
    if (is_error)
        (void)snprintf(reason, sizeof(reason), "WAIT: %.300s", answer->text);
    else
        (void)snprintf(reason, sizeof(reason),
                       "%lld of %lld replicas have it after wait_timeout: see INFO replication",
                       answer->type == REDIS_REPLY_INTEGER ? answer->integer : 0LL,
                       (long long)settings->wait_replicas);
    if (!is_there)
        away_begin(lane->away, OUTBOX_UNAVAILABLE, "WAIT", reason, (struct outbox_slice){NULL, 0});
    for (uint64_t at = link->flights.head; at != link->flights.unanswered; at++) {
        struct flight *flight = flights_at(&link->flights, at);
        if (!flight->batch || !flight->is_answered)
            continue;
        results_add(&lane->results, flight->batch, flight->index,
                    is_there ? OUTBOX_ACKED : OUTBOX_AWAY, is_there ? NULL : reason);
        flight->batch = NULL;
    }
}

/* False for an answer to nothing, or one that does not fit. */
static bool take(struct lane *lane, struct link *link)
{
    struct flights *flights = &link->flights;
    if (flights->unanswered == flights->tail)
        return false;
    struct flight *flight = flights_at(flights, flights->unanswered);
    if (flight->kind == FLIGHT_MESSAGE && !take_message(lane, link, flight))
        return false;
    if (flight->kind == FLIGHT_WAIT)
        take_wait(lane, link);
    flights->unanswered++;
    while (flights->head != flights->unanswered && !flights_at(flights, flights->head)->batch)
        flights->head++;
    if (flights_are_none(flights))
        link->next_deadline = LINK_NEVER;
    return true;
}

/* 0, or EPROTO. */
static int take_all(struct lane *lane, struct link *link)
{
    for (;;) {
        void *reply = NULL;
        link->answer.type = 0;
        if (redisReaderGetReply(link->wire.reader, &reply) != REDIS_OK)
            return EPROTO;
        if (!reply)
            return 0;
        if (!take(lane, link))
            return EPROTO;
    }
}

void lane_receive(struct lane *lane, struct link *link, int64_t now)
{
    char space[16];
    int send_failed = link_send(link, now);
    int failed = link_receive(link, now);
    int odd = take_all(lane, link);
    if (odd == 0 && failed == 0)
        failed = send_failed;
    if (odd != 0)
        failed = odd;
    if (failed != 0)
        lane_give_up(lane, link, failed == WIRE_ENDED ? "EOF" : errno_name(failed, space),
                     wire_reason(failed));
}

/* ---- Silence ------------------------------------------------------------------------------ */

static void expire(struct lane *lane, struct link *link, int64_t now)
{
    struct flights *flights = &link->flights;
    link->next_deadline = LINK_NEVER;
    for (uint64_t at = flights->head; at != flights->tail; at++) {
        struct flight *flight = flights_at(flights, at);
        if (!flight->batch)
            continue;
        if (flight->batch->deadline > now) {
            if (flight->batch->deadline < link->next_deadline)
                link->next_deadline = flight->batch->deadline;
            continue;
        }
        /* Nothing was heard since: then it is the connection. And what is not wholly written is
         * still read from. */
        if (!link_has_written(link, flight) || !link_has_heard_since(link, flight)) {
            lane_give_up(lane, link, "ETIMEDOUT", "no answer by the deadline of its events");
            return;
        }
        results_add(&lane->results, flight->batch, flight->index, OUTBOX_UNKNOWN,
                    "Redis is slow: no answer by the deadline");
        flight->batch = NULL;
    }
}

void lane_judge(struct lane *lane, struct link *link, int64_t now)
{
    int64_t limit = lane->remote->settings->response_timeout;
    char why[80];
    if (now >= link_patience_ends(link, limit)) {
        (void)snprintf(why, sizeof(why), "no answer for %lld ms", (long long)limit / 1000000);
        lane_give_up(lane, link, "ETIMEDOUT", why);
    } else if (now >= link->next_deadline) {
        expire(lane, link, now);
    }
}
