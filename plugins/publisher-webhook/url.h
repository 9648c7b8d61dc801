/*
 * url.h - takes the URL of a receiver apart
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_URL_H
#define PUBLISHER_WEBHOOK_URL_H

#include <outbox/types.h>
#include <stdbool.h>

#define TOPIC_PLACE "{topic}"
#define LONGEST_URL 8000u

/* Texts are the structure's own. */
struct receiver_url {
    char *text;                /* without credentials; TOPIC_PLACE stands where the topic goes */
    uint64_t topic_at;         /* where in text that is; UINT64_MAX: nowhere */
    char *name;                /* "scheme://host:port" */
    char *username, *password; /* decoded; NULL: none */
    bool is_https, is_loopback;
};

/* False if it is of no use, *why then says so in a constant text, or NULL if the memory is used up.
 * receiver_url_clear() afterwards in any case. */
bool receiver_url_parse(struct receiver_url *url, const char *text,
                        const char **why) OUTBOX_MUST_USE;
void receiver_url_clear(struct receiver_url *url);

/* "scheme://host:port" of a URL that an event or a receiver names, in memory that the caller frees.
 * NULL as above, also if the URL holds credentials. */
char *url_origin(const char *url, const char **why) OUTBOX_MUST_USE;

#endif
