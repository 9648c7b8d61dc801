/*
 * settings.h - what the driver was told, checked and copied
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_SETTINGS_H
#define PUBLISHER_NATS_SETTINGS_H

#include "address.h"

#include <pthread.h>
#include <stdatomic.h>

#define SETTINGS_MAX_WINDOW 65536
#define SETTINGS_MAX_CONNECTIONS 16
/* An upper-case letter, two bytes that name the kind, and 32 bytes in base 32 with a checksum. */
#define NKEY_SIZE 57

/* Never changed once made, but for what counts who uses them: an attempt to connect may outlive the
 * publisher. */
struct settings {
    _Atomic int holders;
    pthread_mutex_t attempts_lock;
    pthread_cond_t attempts_changed;
    unsigned attempts; /* threads that connect, given up or not; under the lock */
    struct addresses addresses;
    char *username, *password, *token;
    char *nkey_seed, nkey[NKEY_SIZE]; /* the latter is made from the former */
    char *credentials;                /* path of a file */
    char *tls_ca, *tls_certificate, *tls_key;
    char *name, *inbox_prefix;
    char *key_header; /* "" for none */
    int64_t connect_timeout, ack_timeout;
    uint32_t window;
    unsigned connections;
    bool jetstream;
    bool rejects_missing; /* an event whose subject no stream takes is dead */
};

/* INVALID for what contradicts itself or names a file that cannot be read. */
enum outbox_status settings_read(const struct outbox_settings *given, struct settings **made,
                                 struct outbox_error *error) OUTBOX_MUST_USE;
struct settings *settings_hold(struct settings *settings);
void settings_release(struct settings *settings);

#endif
