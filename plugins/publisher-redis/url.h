/*
 * url.h - the address of a server, redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_URL_H
#define PUBLISHER_REDIS_URL_H

#include <outbox/types.h>
#include <stdbool.h>

#define REDIS_PORT "6379"
#define REDIS_MAX_DATABASE INT64_C(1000000)

struct url {
    bool tls;
    char *host, *port;         /* port: REDIS_PORT if it is not said */
    char *username, *password; /* NULL: none */
    int64_t database;          /* -1: not said */
};

/* INVALID says what is wrong, never what was found: it may be a part of the password. On failure
 * there is nothing to clear. */
enum outbox_status url_parse(struct url *url, const char *text,
                             struct outbox_error *error) OUTBOX_MUST_USE;
void url_clear(struct url *url);

/* "HOST[:PORT]" or "[IPV6][:PORT]", `len` bytes, into memory of the caller's; false if it is none
 * of these or the memory is used up. */
bool url_split_host(const char *text, size_t len, const char *default_port, char **host,
                    char **port) OUTBOX_MUST_USE;

#endif
