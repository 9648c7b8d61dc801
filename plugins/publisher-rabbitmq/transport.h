/*
 * transport.h - a socket, with TLS or without, on which nothing waits longer than it may
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_RABBITMQ_TRANSPORT_H
#define PUBLISHER_RABBITMQ_TRANSPORT_H

#include "address.h"
#include "failure.h"

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <sys/uio.h>

enum transport_result { TRANSPORT_DONE, TRANSPORT_AGAIN, TRANSPORT_LOST };

/* What keeps a thread from waiting: the deadline, and being told to stop. */
struct patience {
    const struct outbox_host *host;
    int64_t deadline;
    int wake_fd; /* an eventfd; readable when there may be something else to do */
    const atomic_bool *is_stopping;
};

/* One thread at a time. Starts as {.fd = -1}. */
struct transport {
    int fd;
    SSL *ssl;     /* NULL: plain */
    char *staged; /* TLS: bytes taken over for the record that is being written */
    size_t staged_at, staged_len;
    struct failure failure; /* why the last call returned TRANSPORT_LOST */
};

/* Connects, and with TLS verifies the certificate and that it is for this host. False with
 * transport->failure filled. */
bool transport_open(struct transport *transport, const struct place *place, SSL_CTX *tls,
                    const struct patience *patience) OUTBOX_MUST_USE;
void transport_close(struct transport *transport);

/* Takes over *sent bytes. AGAIN: wait until it can be written to. */
enum transport_result transport_send(struct transport *transport, const struct iovec *parts,
                                     size_t count, size_t *sent) OUTBOX_MUST_USE;
/* Whether bytes that were taken over are not with the system yet. */
bool transport_is_staging(const struct transport *transport) OUTBOX_MUST_USE;
enum transport_result transport_receive(struct transport *transport, char *to, size_t size,
                                        size_t *received) OUTBOX_MUST_USE;

/* Waits until the socket can be read (or written to, where that is wanted), somebody wakes us or
 * the deadline has come. False only for the deadline and for being told to stop. */
bool transport_wait(const struct transport *transport, bool write,
                    const struct patience *patience) OUTBOX_MUST_USE;

#endif
