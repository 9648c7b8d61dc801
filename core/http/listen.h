/*
 * listen.h - the address that the relay can be looked at, from text to a socket
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HTTP_LISTEN_H
#define CORE_HTTP_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#define LISTEN_HOST 256
#define LISTEN_TEXT (LISTEN_HOST + 10)

struct listen_address {
    char host[LISTEN_HOST]; /* a name or a number; "": every address of this machine */
    char port[6];           /* "0": a free one */
};

/* Reads "HOST:PORT", "[IPV6]:PORT" or ":PORT". False if the text is none of these. */
bool listen_parse(const char *text, struct listen_address *address)
    __attribute__((warn_unused_result));

/* A socket that listens there, or -1 with the reason in `error`. Of a name's addresses the first
 * that can be bound is taken, those of IPv4 first. */
int listen_open(const struct listen_address *address, char *error, size_t size)
    __attribute__((warn_unused_result));

/* Where a socket really listens, as in "127.0.0.1:9464". Returns `text`. */
const char *listen_format(int socket, char text[LISTEN_TEXT]);

#endif
