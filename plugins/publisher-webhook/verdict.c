/*
 * verdict.c - from what became of a request to the outcome of its event
 * SPDX-License-Identifier: MIT
 */
#include "verdict.h"

#include "printable.h"

#include <stdlib.h>
#include <strings.h>

#define SHOWN_OF_BODY 200u
#define SHOWN_OF_NAME 150
/* A piece of a URL that is shorter is a word rather than a token. */
#define SHORTEST_TOKEN 8u

/* ---- Words -------------------------------------------------------------------------------- */

const char *verdict_trouble(CURLcode code, const char *trouble)
{
    return *trouble ? trouble : curl_easy_strerror(code);
}

/* "https://host:port" of where the request went. */
static void name_destination(const struct request *request, char *to, size_t size)
{
    const char *url = NULL, *ignored;
    char *origin = NULL;
    bool is_elsewhere = request->is_to_event_url || !request->has_credentials;
    if (is_elsewhere &&
        curl_easy_getinfo(request->easy, CURLINFO_EFFECTIVE_URL, &url) == CURLE_OK && url)
        origin = url_origin(url, &ignored);
    (void)snprintf(to, size, "%.*s", SHOWN_OF_NAME, origin ? origin : request->settings->url.name);
    free(origin);
}

static bool holds(struct outbox_slice text, const char *secret, size_t len)
{
    /* The beginning tells: of a long one the rest may be cut off. */
    return len > 0 && memmem(text.data, text.len, secret, len < 12 ? len : 12) != NULL;
}

/* A receiver may repeat what it was sent. */
static bool holds_secret(const struct settings *settings, struct outbox_slice text)
{
    for (size_t i = 0; i < sizeof(settings->hidden) / sizeof(settings->hidden[0]); i++) {
        if (settings->hidden[i] && holds(text, settings->hidden[i], strlen(settings->hidden[i])))
            return true;
    }
    for (uint64_t i = 0; i < settings->header_count; i++) {
        const char *value = settings->headers[i].text + settings->headers[i].name_len;
        value += strspn(value, ":; ");
        if (holds(text, value, strlen(value)))
            return true;
    }
    return false;
}

/* A secret that is cut off where the text ends is one, too. */
static void hide(char *text, uint64_t len, const char *secret, uint64_t secret_len)
{
    for (uint64_t i = 0; i + SHORTEST_TOKEN <= len; i++) {
        uint64_t left = len - i, compared = secret_len < left ? secret_len : left;
        if (compared >= SHORTEST_TOKEN && memcmp(text + i, secret, compared) == 0)
            memset(text + i, '*', compared);
    }
}

/* Whoever knows the path of a receiver can often send to it, and many receivers repeat the path in
 * what they say of an error. */
static void hide_url(const struct settings *settings, char *text, uint64_t len)
{
    static const char separators[] = "/?&={}";
    const char *at = strstr(settings->url.text, "://");
    at = at ? at + 3 : settings->url.text;
    at += strcspn(at, "/?");
    while (*at) {
        at += strspn(at, separators);
        size_t piece = strcspn(at, separators);
        hide(text, len, at, piece);
        at += piece;
    }
}

/* "NAME answered 422: how the body begins" */
static void describe_answer(const struct request *request, char *to, size_t size)
{
    const struct answer *answer = &request->answer;
    char name[SHOWN_OF_NAME + 1], body[SHOWN_OF_BODY + 1], text[ANSWER_KEPT];
    struct outbox_slice shown = {text, answer->kept_bytes};
    memcpy(text, answer->kept, answer->kept_bytes);
    hide_url(request->settings, text, answer->kept_bytes);
    name_destination(request, name, sizeof(name));
    if (holds_secret(request->settings, (struct outbox_slice){answer->kept, answer->kept_bytes}))
        (void)snprintf(body, sizeof(body), "(a text that repeats a secret)");
    else
        (void)printable_write(body, sizeof(body), shown);
    (void)snprintf(to, size, "%s answered %ld%s%s", name, answer->status, *body ? ": " : "", body);
}

/* ---- By status ---------------------------------------------------------------------------- */

static void decide_redirect(struct verdict *verdict, const struct request *request)
{
    verdict->outcome = OUTBOX_RETRY;
    verdict->is_redirect = request->redirects_left > 0 && request->answer.status != 303 &&
                           request->answer.status != 304;
    if (!verdict->is_redirect)
        verdict_not_redirected(
            verdict, request,
            request->answer.status == 303 || request->answer.status == 304
                ? "which is no answer to an event"
            : request->settings->redirects == 0
                ? "and redirects are not followed: correct the URL, or set \"redirects\""
                : "and \"redirects\" are used up");
}

void verdict_not_redirected(struct verdict *verdict, const struct request *request, const char *why)
{
    char name[SHOWN_OF_NAME + 1], *url = NULL, *to = NULL;
    const char *ignored;
    name_destination(request, name, sizeof(name));
    if (curl_easy_getinfo(request->easy, CURLINFO_REDIRECT_URL, &url) == CURLE_OK && url)
        to = url_origin(url, &ignored);
    verdict->outcome = OUTBOX_RETRY;
    (void)snprintf(verdict->reason, sizeof(verdict->reason), "%s answered %ld, to %.*s, %s", name,
                   request->answer.status, SHOWN_OF_NAME, to ? to : "nowhere", why);
    free(to);
}

/* The receiver asks for a pause: nobody's attempt, and nothing is sent before it is over. */
static bool decide_wait(struct verdict *verdict, const struct request *request,
                        struct receiver *receiver)
{
    int64_t seconds = answer_wait(&request->answer);
    if (seconds < 0 || request->is_to_event_url)
        return false;
    receiver_ask_wait(receiver, seconds);
    verdict->outcome = OUTBOX_AWAY;
    (void)snprintf(verdict->reason, sizeof(verdict->reason),
                   "%.*s answered %ld and asks to wait %lld s", SHOWN_OF_NAME,
                   request->settings->url.name, request->answer.status, (long long)seconds);
    return true;
}

static void decide_status(struct verdict *verdict, const struct request *request,
                          struct receiver *receiver)
{
    long status = request->answer.status;
    bool is_denied = !request->is_to_event_url && (status == 401 || status == 407);
    if (!request->is_to_event_url && is_denied != atomic_load(&receiver->has_denied))
        atomic_store(&receiver->has_denied, is_denied);
    if (status < 300) {
        verdict->outcome = OUTBOX_ACKED;
        return;
    }
    if (status < 400) {
        decide_redirect(verdict, request);
        return;
    }
    if ((status == 429 || status == 503) && decide_wait(verdict, request, receiver))
        return;
    describe_answer(request, verdict->reason, sizeof(verdict->reason));
    if (is_denied)
        verdict->outcome = OUTBOX_AWAY; /* an operator mends it, no event is to blame */
    else if (status == 408 || status == 425 || status == 429 || status >= 500)
        verdict->outcome = OUTBOX_RETRY;
    else
        verdict->outcome = OUTBOX_REJECTED;
}

/* ---- Without a status --------------------------------------------------------------------- */

static bool is_our_fault(CURLcode code)
{
    return code == CURLE_OUT_OF_MEMORY || code == CURLE_FAILED_INIT ||
           code == CURLE_BAD_FUNCTION_ARGUMENT;
}

/* Whether the receiver has answered others of late: then it is this request that it does not
 * answer. What it answered long ago says nothing: it may have fallen silent since. */
static bool answers_others(const struct request *request, const struct receiver *receiver)
{
    int64_t now = receiver->host->now(receiver->host);
    int64_t heard_at = atomic_load_explicit(&receiver->heard_at, memory_order_relaxed);
    return heard_at >= request->started_at + (now - request->started_at) / 2;
}

/* There is a connection, and TLS is not agreed on. */
static bool is_in_handshake(const struct request *request)
{
    curl_off_t connected = 0, agreed = 0;
    const char *scheme = NULL;
    return curl_easy_getinfo(request->easy, CURLINFO_CONNECT_TIME_T, &connected) == CURLE_OK &&
           curl_easy_getinfo(request->easy, CURLINFO_APPCONNECT_TIME_T, &agreed) == CURLE_OK &&
           curl_easy_getinfo(request->easy, CURLINFO_SCHEME, &scheme) == CURLE_OK &&
           connected > 0 && agreed == 0 && scheme && strcasecmp(scheme, "https") == 0;
}

static void decide_timeout(struct verdict *verdict, const struct request *request,
                           struct receiver *receiver, const char *name)
{
    bool was_sent = request_was_sent(request);
    int64_t milliseconds =
        (receiver->host->now(receiver->host) - request->started_at) / INT64_C(1000000);
    verdict->outcome = was_sent ? OUTBOX_UNKNOWN : OUTBOX_RETRY;
    /* What was never sent is not the event's fault, whomever it answers. */
    if (!request->is_to_event_url && (!was_sent || !answers_others(request, receiver))) {
        verdict->outcome = OUTBOX_AWAY;
        verdict->is_connection = true;
    }
    (void)snprintf(verdict->reason, sizeof(verdict->reason), "%s %s within %lld ms", name,
                   was_sent                   ? "gave no answer"
                   : is_in_handshake(request) ? "did not end the TLS handshake"
                                              : "could not be reached",
                   (long long)milliseconds);
}

static void decide_loss(struct verdict *verdict, const struct request *request, CURLcode code,
                        const char *name)
{
    bool was_sent = request_was_sent(request);
    verdict->outcome = !request->is_to_event_url ? OUTBOX_AWAY
                       : was_sent                ? OUTBOX_UNKNOWN
                                                 : OUTBOX_RETRY;
    verdict->is_connection = !request->is_to_event_url;
    (void)snprintf(verdict->reason, sizeof(verdict->reason), "%s %s: %.200s", name,
                   was_sent ? "closed the connection before it had answered" : "cannot be reached",
                   code == CURLE_OK ? "only half of a header came"
                                    : verdict_trouble(code, request->trouble));
}

static void decide_private(struct verdict *verdict, const struct request *request, const char *name)
{
    verdict->outcome = request->is_to_event_url ? OUTBOX_REJECTED : OUTBOX_AWAY;
    verdict->is_connection = !request->is_to_event_url;
    (void)snprintf(verdict->reason, sizeof(verdict->reason),
                   "%s is at a private address, which \"private_addresses\" refuses", name);
}

static void decide_code(struct verdict *verdict, const struct request *request, CURLcode code,
                        struct receiver *receiver)
{
    char name[SHOWN_OF_NAME + 1];
    name_destination(request, name, sizeof(name));
    if (request->was_private)
        decide_private(verdict, request, name);
    else if (request->answer.is_endless) {
        verdict->outcome = OUTBOX_RETRY;
        (void)snprintf(verdict->reason, sizeof(verdict->reason), "%s sent a header without an end",
                       name);
    } else if (code == CURLE_OPERATION_TIMEDOUT)
        decide_timeout(verdict, request, receiver, name);
    else if (is_our_fault(code)) {
        verdict->outcome = OUTBOX_AWAY;
        (void)snprintf(verdict->reason, sizeof(verdict->reason), "send to %s: %s", name,
                       curl_easy_strerror(code));
    } else
        decide_loss(verdict, request, code, name);
}

/* Of an event over which the connection is lost again and again, while others go well, the
 * connection is not to blame. Else it would come back for ever. One that was redirected has been
 * sent, and may be the only one that has to go there. */
static void consider_suspect(struct verdict *verdict, const struct request *request,
                             struct receiver *receiver)
{
    struct outbox_slice id = request->message->event->id;
    if (!verdict->is_connection) {
        receiver_trust(receiver, id);
        return;
    }
    bool was_redirected = request->redirects_left < request->settings->redirects;
    if (!(was_redirected || request_was_sent(request)) || !receiver_suspect(receiver, id))
        return;
    size_t len = strlen(verdict->reason);
    verdict->outcome = OUTBOX_UNKNOWN;
    verdict->is_connection = false;
    (void)snprintf(verdict->reason + len, sizeof(verdict->reason) - len,
                   "; again and again over this event, while others are answered");
}

void verdict_decide(struct verdict *verdict, const struct request *request, CURLcode code,
                    struct receiver *receiver)
{
    verdict->is_redirect = verdict->is_connection = false;
    verdict->reason[0] = '\0';
    /* The status is the answer: what comes behind it, and how it ends, changes nothing. */
    if (request->answer.is_complete)
        decide_status(verdict, request, receiver);
    else
        decide_code(verdict, request, code, receiver);
    if (!request->is_to_event_url && request->answer.is_complete)
        receiver_heard(receiver);
    if (!verdict->is_redirect)
        consider_suspect(verdict, request, receiver);
}
