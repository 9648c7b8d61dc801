/*
 * address.h - where the brokers are, as an AMQP URL with one or more hosts
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_RABBITMQ_ADDRESS_H
#define PUBLISHER_RABBITMQ_ADDRESS_H

#include <outbox/types.h>
#include <stdbool.h>

#define ADDRESS_MAX_PLACES 16u

struct place {
    char host[256]; /* a name or an address, without brackets */
    char port[6];
};

struct address {
    bool tls;
    struct place places[ADDRESS_MAX_PLACES];
    uint64_t place_count;
    char *username, *password, *vhost; /* NULL: not in the URL */
};

/* INVALID says what is wrong and never repeats the URL, which may hold a password. */
enum outbox_status address_parse(struct address *address, const char *url,
                                 struct outbox_error *error) OUTBOX_MUST_USE;
void address_clear(struct address *address);

#endif
