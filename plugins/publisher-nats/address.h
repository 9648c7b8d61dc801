/*
 * address.h - the servers that the option `url` names
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_ADDRESS_H
#define PUBLISHER_NATS_ADDRESS_H

#include <outbox/types.h>
#include <stdbool.h>

#define ADDRESS_MAX_SERVERS 32

/* One server. Credentials are those of its URL, NULL where it has none: a user without a password
 * is a token, as everywhere with NATS. */
struct address {
    char *host;  /* as certificates name it: no brackets around an IPv6 address */
    char *place; /* host:port, for the library and for people */
    char *username, *password, *token;
};

struct addresses {
    struct address servers[ADDRESS_MAX_SERVERS];
    size_t count;
    bool is_tls; /* of all of them: half of it in plain would be none */
};

/* Starts from zeroes. Reads "SCHEME://[USER[:PASSWORD]@]HOST[:PORT]", separated by commas, SCHEME
 * being nats or tls; %XX in credentials is decoded. INVALID tells what is wrong, and no secret. */
enum outbox_status addresses_read(struct addresses *addresses, const char *url,
                                  struct outbox_error *error) OUTBOX_MUST_USE;
void addresses_clear(struct addresses *addresses);

#endif
