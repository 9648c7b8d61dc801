/*
 * sender.c - a thread that keeps many requests on their way
 * SPDX-License-Identifier: MIT
 */
#include "sender.h"

#include "compose.h"

#include <stdlib.h>

#define MILLISECOND INT64_C(1000000)
#define LONGEST_SLEEP 1000 /* milliseconds */

static void wake(struct waiter *waiter)
{
    struct sender *sender = (struct sender *)(void *)waiter;
    (void)curl_multi_wakeup(sender->multi);
}

/* ---- Completions -------------------------------------------------------------------------- */

static void report_acked(struct sender *sender)
{
    struct piece acked = sender->acked;
    sender->acked.count = 0;
    if (acked.count == 0)
        return;
    queue_complete(sender->queue, acked, OUTBOX_ACKED, NULL);
}

/* Neighbours are reported together. */
static void note_acked(struct sender *sender, struct piece one)
{
    struct piece *acked = &sender->acked;
    if (acked->count > 0 && acked->job == one.job) {
        if (one.first == acked->first + acked->count) {
            acked->count++;
            return;
        }
        if (one.first + 1 == acked->first) {
            acked->first--;
            acked->count++;
            return;
        }
    }
    report_acked(sender);
    *acked = one;
}

static void free_request(struct sender *sender, struct request *request)
{
    request->job = NULL;
    sender->free_requests[sender->free_count++] = request;
}

/* Completes the message of a request, which is free then. */
static void complete(struct sender *sender, struct request *request, enum outbox_outcome outcome,
                     const char *reason)
{
    struct piece one = {request->job, request->index, 1};
    free_request(sender, request);
    if (outcome != OUTBOX_ACKED) {
        queue_complete(sender->queue, one, outcome, reason);
        return;
    }
    if (!request->is_to_event_url)
        receiver_acked(sender->receiver);
    note_acked(sender, one);
}

/* Nothing more is sent until the relay has pinged: not what waits, nor what has not left yet. */
static void release_unsent(struct sender *sender, const char *reason)
{
    queue_complete(sender->queue, sender->taken, OUTBOX_AWAY, reason);
    sender->taken.count = 0;
    queue_release(sender->queue, OUTBOX_AWAY, reason);
    for (uint64_t i = 0; i < sender->window; i++) {
        struct request *request = &sender->requests[i];
        if (!request->job || request_was_sent(request))
            continue;
        (void)curl_multi_remove_handle(sender->multi, request->easy);
        complete(sender, request, OUTBOX_AWAY, reason);
    }
}

static void go_away(struct sender *sender, const char *reason)
{
    sender->is_stale = true;
    receiver_lost(sender->receiver, reason);
    release_unsent(sender, reason);
}

/* ---- Starting ----------------------------------------------------------------------------- */

static bool add_request(struct sender *sender, struct request *request)
{
    return curl_multi_add_handle(sender->multi, request->easy) == CURLM_OK;
}

static void start_request(struct sender *sender, struct request *request, int64_t now)
{
    const struct settings *settings = sender->settings;
    const struct outbox_message *message = outbox_batch_at(request->job->batch, request->index);
    char *why = sender->verdict.reason;
    request->started_at = now;
    request->ends_at = request->job->deadline;
    if (settings->timeout < request->ends_at - now)
        request->ends_at = now + settings->timeout;
    request->redirects_left = settings->redirects;
    switch (compose(request, message, &sender->signer, why, REASON_SIZE)) {
    case COMPOSED:
        if (request_ready(request, request->ends_at - now) && add_request(sender, request))
            return;
        break;
    case COMPOSE_REJECTED:
        complete(sender, request, OUTBOX_REJECTED, why);
        return;
    case COMPOSE_NO_MEMORY:
        break;
    }
    complete(sender, request, OUTBOX_AWAY, "compose the request: out of memory");
}

/* Whether there is a message to send. */
static bool has_work(struct sender *sender)
{
    if (sender->taken.count == 0)
        sender->taken = queue_take(sender->queue, sender->free_count);
    return sender->taken.count > 0;
}

static bool asked_to_wait(struct sender *sender)
{
    char reason[REASON_SIZE];
    if (!receiver_is_waiting(sender->receiver, reason, sizeof(reason)))
        return false;
    release_unsent(sender, reason);
    return true;
}

/* Fills the window. */
static void start_requests(struct sender *sender)
{
    int64_t now = sender->host->now(sender->host);
    while (sender->free_count > 0 && has_work(sender)) {
        if (asked_to_wait(sender))
            return;
        struct request *request = sender->free_requests[--sender->free_count];
        request->job = sender->taken.job;
        request->index = sender->taken.first++;
        sender->taken.count--;
        start_request(sender, request, now);
    }
}

/* ---- Ending ------------------------------------------------------------------------------- */

/* Whether the request goes on, to where the receiver has pointed. */
static bool follow(struct sender *sender, struct request *request)
{
    const char *why;
    int64_t left = request->ends_at - sender->host->now(sender->host);
    if (request_redirect(request, left, &why) && add_request(sender, request))
        return true;
    verdict_not_redirected(&sender->verdict, request, why ? why : "for lack of memory");
    return false;
}

static void end_request(struct sender *sender, struct request *request, CURLcode code)
{
    struct verdict *verdict = &sender->verdict;
    (void)curl_multi_remove_handle(sender->multi, request->easy);
    verdict_decide(verdict, request, code, sender->receiver);
    if (verdict->is_redirect && follow(sender, request))
        return;
    complete(sender, request, verdict->outcome, verdict->reason);
    if (verdict->outcome == OUTBOX_AWAY)
        go_away(sender, verdict->reason);
}

static void end_requests(struct sender *sender)
{
    int left;
    for (;;) {
        const CURLMsg *message = curl_multi_info_read(sender->multi, &left);
        if (!message)
            break;
        CURLcode code = message->data.result;
        char *request = NULL;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request) == CURLE_OK)
            end_request(sender, (struct request *)(void *)request, code);
    }
    report_acked(sender);
}

/* ---- The thread --------------------------------------------------------------------------- */

static CURLM *new_multi(const struct sender *sender)
{
    CURLM *multi = curl_multi_init();
    if (!multi)
        return NULL;
    long connections = (long)sender->connections;
    bool is_set = true;
    is_set &= curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX) == CURLM_OK;
    is_set &= curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS,
                                (long)(sender->window > 100 ? sender->window : 100)) == CURLM_OK;
    is_set &= curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections) == CURLM_OK;
    is_set &= curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections) == CURLM_OK;
    if (is_set)
        return multi;
    (void)curl_multi_cleanup(multi);
    return NULL;
}

/* Forgets the connections that are kept: after an outage they may lead nowhere. */
static void renew_connections(struct sender *sender)
{
    CURLM *made = new_multi(sender);
    if (!made)
        return;
    (void)pthread_mutex_lock(&sender->queue->lock);
    CURLM *old = sender->multi;
    sender->multi = made;
    (void)pthread_mutex_unlock(&sender->queue->lock);
    (void)curl_multi_cleanup(old);
    sender->is_stale = false;
}

/* Until a request moves, work comes, or something is due. */
static void wait_for_more(struct sender *sender)
{
    int64_t deadline;
    bool is_busy = sender->free_count == 0;
    if (sender->taken.count > 0 && !is_busy)
        return;
    if (!queue_may_sleep(sender->queue, &sender->waiter, is_busy, &deadline))
        return;
    int64_t left = deadline - sender->host->now(sender->host);
    int milliseconds = LONGEST_SLEEP;
    if (left < LONGEST_SLEEP * MILLISECOND)
        milliseconds = left > 0 ? (int)(left / MILLISECOND) + 1 : 0;
    (void)curl_multi_poll(sender->multi, NULL, 0, milliseconds, NULL);
}

/* What was never sent is not the events' fault: the receiver is slower than they come. */
static void expire(struct sender *sender)
{
    static const char reason[] =
        "not sent within publish.timeout: the receiver answers more slowly than events are "
        "claimed; a smaller publish.max_in_flight or a larger \"window\" helps";
    int64_t now = sender->host->now(sender->host);
    if (sender->taken.count > 0 && sender->taken.job->deadline <= now) {
        queue_complete(sender->queue, sender->taken, OUTBOX_AWAY, reason);
        sender->taken.count = 0;
    }
    queue_expire(sender->queue, now, OUTBOX_AWAY, reason);
}

static void abandon(struct sender *sender)
{
    static const char reason[] = "the relay ended before the receiver had answered";
    queue_complete(sender->queue, sender->taken, OUTBOX_UNKNOWN, reason);
    sender->taken.count = 0;
    for (uint64_t i = 0; i < sender->window; i++) {
        struct request *request = &sender->requests[i];
        if (!request->job)
            continue;
        (void)curl_multi_remove_handle(sender->multi, request->easy);
        complete(sender, request, OUTBOX_UNKNOWN, reason);
    }
}

static void *run(void *context)
{
    struct sender *sender = context;
    int running;
    while (!queue_is_closed(sender->queue)) {
        if (sender->is_stale && sender->free_count == sender->window)
            renew_connections(sender);
        expire(sender);
        start_requests(sender);
        (void)curl_multi_perform(sender->multi, &running);
        end_requests(sender);
        wait_for_more(sender);
    }
    abandon(sender);
    return NULL;
}

/* ---- Opening and closing ------------------------------------------------------------------ */

static bool make_requests(struct sender *sender)
{
    sender->requests = calloc(sender->window, sizeof(*sender->requests));
    sender->free_requests = calloc(sender->window, sizeof(struct request *));
    if (!sender->requests || !sender->free_requests)
        return false;
    for (uint64_t i = 0; i < sender->window; i++) {
        if (!request_init(&sender->requests[i], sender->settings))
            return false;
        sender->free_requests[sender->free_count++] = &sender->requests[i];
    }
    return true;
}

bool sender_open(struct sender *sender, const struct outbox_host *host,
                 const struct settings *settings, struct queue *queue, struct receiver *receiver,
                 uint64_t window, uint64_t connections)
{
    *sender = (struct sender){.waiter.wake = wake,
                              .host = host,
                              .settings = settings,
                              .queue = queue,
                              .receiver = receiver,
                              .window = window,
                              .connections = connections};
    sender->multi = new_multi(sender);
    if (!sender->multi || !signer_init(&sender->signer, &settings->secrets) ||
        !make_requests(sender))
        return false;
    sender->is_running = pthread_create(&sender->thread, NULL, run, sender) == 0;
    if (sender->is_running)
        queue_join(queue, &sender->waiter);
    return sender->is_running;
}

void sender_close(struct sender *sender)
{
    if (sender->is_running)
        (void)pthread_join(sender->thread, NULL);
    sender->is_running = false;
    for (uint64_t i = 0; sender->requests && i < sender->window; i++)
        request_clear(&sender->requests[i]);
    free(sender->requests);
    free(sender->free_requests);
    signer_clear(&sender->signer);
    if (sender->multi)
        (void)curl_multi_cleanup(sender->multi);
    *sender = (struct sender){0};
}
