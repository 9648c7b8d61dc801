/*
 * settings.h - what the configuration says of the server and of what is sent to it
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_SETTINGS_H
#define PUBLISHER_REDIS_SETTINGS_H

#include <outbox/publisher.h>
#include <stdbool.h>

enum kind { KIND_STREAM, KIND_LIST, KIND_PUBSUB };
enum missing { MISSING_CREATE, MISSING_RETRY, MISSING_REJECT };

/* Where a server listens. */
struct place {
    char *host, *port;
};

struct settings {
    struct place server; /* host NULL: `path` or `sentinels` */
    char *path;
    struct place *sentinels;
    uint64_t sentinel_count;
    char *master_name, *sentinel_username, *sentinel_password;
    char *username, *password; /* NULL: none */
    int64_t database;          /* -1: none is selected */
    bool tls;
    char *tls_ca, *tls_certificate, *tls_key;

    enum kind kind;
    char *payload_field, *key_field, *header_prefix;
    bool envelope;
    int64_t max_length, max_age; /* 0: none; age in nanoseconds */
    bool trims_exactly;
    enum missing on_missing;

    int64_t wait_replicas, wait_timeout; /* 0: no waiting; nanoseconds */
    int64_t connections, window;
    int64_t connect_timeout, response_timeout; /* nanoseconds */
};

/* INVALID for what no table of keys can express. On failure there is nothing to free. */
enum outbox_status settings_new(const struct outbox_settings *given, struct settings **settings,
                                struct outbox_error *error) OUTBOX_MUST_USE;
void settings_free(struct settings **settings);

#endif
