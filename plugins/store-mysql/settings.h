/*
 * settings.h - what the configuration says of the server and of how to reach it
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_MYSQL_SETTINGS_H
#define STORE_MYSQL_SETTINGS_H

#include <outbox/store.h>
#include <stdbool.h>

enum partition { PARTITION_NONE, PARTITION_BY_DAY, PARTITION_BY_MONTH };

enum tls { TLS_UNSET, TLS_OFF, TLS_VERIFIED };

/* Where the server is: what a url says. */
struct address {
    char *user, *password, *host, *socket, *database; /* NULL: not said */
    unsigned port;
    enum tls tls;
};

struct settings {
    struct address address;
    char *tls_ca, *tls_certificate, *tls_key; /* NULL: none */
    char *url_password;                       /* a secret even where another one overrides it */
    char *application_name;
    int64_t statement_timeout; /* milliseconds, 0: none */
    uint32_t mode;             /* enum outbox_claim_mode */
    bool delete_delivered;
    bool binary_payload;      /* init makes the payload bytes, whatever the layout's usual type */
    enum partition partition; /* what init makes of a table with created_ts */
    int64_t partition_window; /* seconds, 0: claims look at every partition */
};

enum outbox_status settings_init(struct settings *settings,
                                 const struct outbox_store_config *config,
                                 struct outbox_error *error) OUTBOX_MUST_USE;
void settings_clear(struct settings *settings);

/* Blots out every secret in `text`. */
void settings_scrub(const struct settings *settings, char *text);

/* INVALID says what is wrong, never what was found: it may be a part of the password. Clear it also
 * after a failure. */
enum outbox_status address_parse(struct address *address, const char *url,
                                 struct outbox_error *error) OUTBOX_MUST_USE;
void address_clear(struct address *address);

/* Of ssl-mode and of the key `tls`; TLS_UNSET if it is none of its values. */
enum tls tls_named(const char *name);

#endif
