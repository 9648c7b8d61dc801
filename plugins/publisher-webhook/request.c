/*
 * request.c - one request on its way, used for one message after the other
 * SPDX-License-Identifier: MIT
 */
#include "request.h"

#include "connection.h"

#include <stdlib.h>

#define MILLISECOND INT64_C(1000000)
#define READ_SIZE 4096L /* answers are short, and there are many requests */

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct request *request = context;
    size_t len = size * count;
    return answer_header(&request->answer, (struct outbox_slice){data, len}) ? len : 0;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct request *request = context;
    size_t len = size * count;
    return answer_body(&request->answer, (struct outbox_slice){data, len}) ? len : len + 1;
}

static bool set_up(struct request *request)
{
    const struct settings *settings = request->settings;
    CURL *easy = request->easy;
    bool is_set = connection_set(easy, settings);
    is_set &= curl_easy_setopt(easy, CURLOPT_PRIVATE, request) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->trouble) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_HEADERDATA, request) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, request) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_SIZE) == CURLE_OK;
    is_set &= curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
    is_set &=
        curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)settings->shares_connections) == CURLE_OK;
    if (strcmp(settings->method, "POST") != 0)
        is_set &= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, settings->method) == CURLE_OK;
    is_set &= connection_set_certificate(easy, settings, true);
    request->shows_certificate = true;
    is_set &= connection_set_refusal(easy, settings, false, &request->was_private);
    return is_set;
}

bool request_init(struct request *request, const struct settings *settings)
{
    *request = (struct request){.settings = settings, .easy = curl_easy_init()};
    return request->easy && set_up(request);
}

void request_clear(struct request *request)
{
    curl_easy_cleanup(request->easy);
    bytes_clear(&request->text);
    bytes_clear(&request->url);
    free(request->nodes);
    request->easy = NULL;
    request->nodes = NULL;
}

/* What differs from the message before. */
static bool set_destination(struct request *request)
{
    const struct settings *settings = request->settings;
    bool is_shared = !request->is_to_event_url && settings->url.topic_at == UINT64_MAX;
    if (!request->has_url || !is_shared) {
        const char *url = is_shared ? settings->url.text : request->url.data;
        request->has_url = is_shared;
        if (curl_easy_setopt(request->easy, CURLOPT_URL, url) != CURLE_OK)
            return false;
    }
    if (request->shows_certificate != request->has_credentials) {
        request->shows_certificate = request->has_credentials;
        if (!connection_set_certificate(request->easy, settings, request->has_credentials))
            return false;
    }
    if (request->is_refusing != request->refuses_private) {
        request->is_refusing = request->refuses_private;
        if (!connection_set_refusal(request->easy, settings, request->refuses_private,
                                    &request->was_private))
            return false;
    }
    return true;
}

static bool set_time(struct request *request, int64_t nanoseconds)
{
    int64_t milliseconds = nanoseconds / MILLISECOND;
    answer_init(&request->answer);
    request->trouble[0] = '\0';
    request->was_private = false;
    return curl_easy_setopt(request->easy, CURLOPT_TIMEOUT_MS,
                            (long)(milliseconds > 0 ? milliseconds : 1)) == CURLE_OK;
}

bool request_ready(struct request *request, int64_t nanoseconds)
{
    const struct outbox_message *message = request->message;
    /* Without an address libcurl would read the body from standard input. */
    const char *body = message->payload.data ? message->payload.data : "";
    CURL *easy = request->easy;
    return set_destination(request) && set_time(request, nanoseconds) &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)message->payload.len) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->nodes) == CURLE_OK;
}

/* ---- Redirects ---------------------------------------------------------------------------- */

/* Credentials stay with the origin that they were configured for. */
static void go_public(struct request *request)
{
    request->has_credentials = false;
    request->node_count = request->public_nodes;
    request->nodes[request->node_count - 1].next = NULL;
}

bool request_redirect(struct request *request, int64_t nanoseconds, const char **why)
{
    char *url = NULL, *from = NULL, *to = NULL;
    bool is_done = false;
    *why = "it names no place";
    if (curl_easy_getinfo(request->easy, CURLINFO_REDIRECT_URL, &url) != CURLE_OK || !url)
        return false;
    const char *now = NULL, *ignored;
    (void)curl_easy_getinfo(request->easy, CURLINFO_EFFECTIVE_URL, &now);
    to = url_origin(url, why);
    from = now ? url_origin(now, &ignored) : NULL;
    if (to && from && strncmp(from, "https:", 6) == 0 && strncmp(to, "https:", 6) != 0) {
        *why = "it leads from https:// to http://";
    } else if (to && from) {
        if (strcasecmp(from, to) != 0)
            go_public(request);
        size_t len = strlen(url);
        *why = NULL;
        request->url.len = 0;
        request->has_url = false;
        request->redirects_left--;
        is_done = bytes_append(&request->url, url, len + 1) &&
                  curl_easy_setopt(request->easy, CURLOPT_URL, request->url.data) == CURLE_OK &&
                  set_time(request, nanoseconds);
        if (is_done && !request->has_credentials && request->shows_certificate) {
            request->shows_certificate = false;
            is_done = connection_set_certificate(request->easy, request->settings, false);
        }
    }
    free(from);
    free(to);
    return is_done;
}

bool request_was_sent(const struct request *request)
{
    long sent = 0;
    return curl_easy_getinfo(request->easy, CURLINFO_REQUEST_SIZE, &sent) == CURLE_OK && sent > 0;
}
