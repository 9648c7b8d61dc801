/*
 * request.h - one request on its way, used for one message after the other
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_REQUEST_H
#define PUBLISHER_WEBHOOK_REQUEST_H

#include "answer.h"
#include "bytes.h"
#include "settings.h"

#include <curl/curl.h>
#include <outbox/publisher.h>

struct job;

/* Belongs to one thread. Its address is known to libcurl: it never moves. */
struct request {
    const struct settings *settings;
    CURL *easy;
    char trouble[CURL_ERROR_SIZE]; /* libcurl's own words */
    struct answer answer;

    /* What it carries; `job` is NULL while it is free. */
    struct job *job;
    uint64_t index; /* in the job's batch */
    const struct outbox_message *message;
    int64_t started_at, ends_at; /* of the host's clock */
    int64_t redirects_left;

    bool is_to_event_url; /* the event named the receiver, not the configuration */
    bool has_credentials; /* what only the receiver of `url` may see goes with it */
    bool refuses_private; /* it may not go to a private address */
    bool was_private;     /* it was about to */

    /* How `easy` is set at present. */
    bool has_url; /* to the URL that all messages share */
    bool shows_certificate, is_refusing;

    /* The header lines and the list that libcurl reads. Both are used again and again. */
    struct bytes text, url;
    struct curl_slist *nodes;
    uint64_t node_count, node_capacity;
    uint64_t public_nodes; /* those that everybody may see come first */
};

/* False if the memory is used up; request_clear() afterwards in any case. */
bool request_init(struct request *request, const struct settings *settings) OUTBOX_MUST_USE;
void request_clear(struct request *request);

/* Sets `easy` up for the message that was composed: `nanoseconds` is what it may take. False if the
 * memory is used up. */
bool request_ready(struct request *request, int64_t nanoseconds) OUTBOX_MUST_USE;

/* Turns it, once it has ended, to the URL that the receiver has named in its answer. False and
 * *why, a constant text, where that may not be; *why is NULL if the memory is used up. */
bool request_redirect(struct request *request, int64_t nanoseconds,
                      const char **why) OUTBOX_MUST_USE;

/* Whether something of the request has left this process. */
bool request_was_sent(const struct request *request);

#endif
