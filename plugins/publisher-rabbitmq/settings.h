/*
 * settings.h - what the configuration says, checked and copied
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_RABBITMQ_SETTINGS_H
#define PUBLISHER_RABBITMQ_SETTINGS_H

#include "address.h"

#include <openssl/ssl.h>
#include <outbox/publisher.h>

#define MAX_CONNECTIONS 16

struct settings {
    struct address address; /* with username, password and vhost always set */
    SSL_CTX *tls;           /* NULL: plain */
    char *exchange, *key_header;
    int64_t connect_timeout;
    unsigned heartbeat; /* seconds */
    uint64_t window;
    uint64_t connections;
    uint64_t max_message_size;
    enum outbox_outcome on_unroutable, on_missing_exchange, on_nack;
    char place[320]; /* the first host, for people */
};

enum outbox_status settings_read(struct settings *settings, const struct outbox_settings *given,
                                 struct outbox_error *error) OUTBOX_MUST_USE;
void settings_clear(struct settings *settings);

#endif
