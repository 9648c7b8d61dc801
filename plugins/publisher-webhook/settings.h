/*
 * settings.h - what the configuration says of a receiver, checked
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_SETTINGS_H
#define PUBLISHER_WEBHOOK_SETTINGS_H

#include "signature.h"
#include "url.h"

#include <outbox/types.h>
#include <stdbool.h>

enum ping_way { PING_HEAD, PING_OPTIONS, PING_CONNECT };

/* A header that every request has. */
struct header_line {
    char *text; /* "Name: value" or, where the value is empty, "Name;" */
    uint64_t name_len;
};

struct settings {
    struct receiver_url url;
    const char *method;  /* constant */
    char *content_type;  /* "": none is sent */
    char *key_header;    /* "": the key is not sent */
    char *authorization; /* the whole header line, or NULL */
    struct header_line *headers;
    uint64_t header_count;
    bool sets_user_agent; /* one of them does */
    struct secrets secrets;
    char *hidden[2]; /* texts that are never shown, whoever repeats them; NULL: none */
    char *tls_ca, *tls_certificate, *tls_key, *proxy; /* NULL: not set */
    long http_version;                                /* CURL_HTTP_VERSION_... */
    bool shares_connections; /* a request rather waits for a connection to share than opens one */
    uint64_t window, threads, max_connections;
    int64_t redirects, timeout, connect_timeout;
    enum ping_way ping;
    bool event_urls;
    bool refuses_private;       /* the receiver of `url` may not be at a private address */
    bool events_refuse_private; /* nor those that events name */
};

/* Reads and checks. INVALID names the key, what was found and what is allowed. settings_clear()
 * afterwards in any case. */
enum outbox_status settings_read(struct settings *to, const struct outbox_settings *from,
                                 struct outbox_error *error) OUTBOX_MUST_USE;
void settings_clear(struct settings *settings);

#endif
