/*
 * wire.h - a connection: bytes out, replies in
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_WIRE_H
#define PUBLISHER_REDIS_WIRE_H

#include "outgoing.h"
#include "patience.h"
#include "tls.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>

#define WIRE_ENDED (-1) /* beside the numbers of errno: the peer has closed the connection */

/* One thread at a time. */
struct wire {
    int fd;
    struct tls_session *session;       /* NULL: plain */
    short send_events, receive_events; /* what the last attempt had to wait for */
    struct outgoing out;
    redisReader *reader;
    char *staging; /* TLS: what goes into one record */
};

/* Takes the descriptor over and closes it, also on failure. */
enum outbox_status wire_open(struct wire *wire, int fd, struct tls *tls, const char *host,
                             const struct patience *patience,
                             struct outbox_error *error) OUTBOX_MUST_USE;
void wire_close(struct wire *wire);

/* Sends what the connection takes without waiting: 0 or the number of errno. */
int wire_send(struct wire *wire) OUTBOX_MUST_USE;

/* Reads what is there without waiting: 0, WIRE_ENDED or the number of errno. *got is how much. */
int wire_receive(struct wire *wire, uint64_t *got) OUTBOX_MUST_USE;

/* What to poll the descriptor for. */
short wire_events(const struct wire *wire);

/* Adds a command to what is to be sent; false if the memory is used up. */
bool wire_command(struct wire *wire, const struct outbox_slice *arguments,
                  uint64_t count) OUTBOX_MUST_USE;

/* Sends what is there to be sent and waits for the next reply, to be freed with freeReplyObject().
 */
enum outbox_status wire_reply(struct wire *wire, const struct patience *patience,
                              redisReply **reply, struct outbox_error *error) OUTBOX_MUST_USE;

/* In words, why wire_send() or wire_receive() failed. */
const char *wire_reason(int number);

#endif
