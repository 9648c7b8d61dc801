/*
 * tls.h - TLS below a connection, by OpenSSL
 * SPDX-License-Identifier: MIT
 *
 * Not by hiredis_ssl, which old releases do not have and which does not verify the host's name.
 */
#ifndef PUBLISHER_REDIS_TLS_H
#define PUBLISHER_REDIS_TLS_H

#include "patience.h"
#include "settings.h"

#include <sys/types.h>

struct tls;         /* what all connections share; any thread */
struct tls_session; /* one connection */

/* INVALID names the file that cannot be used. A build without OpenSSL always answers INVALID. */
enum outbox_status tls_new(const struct settings *settings, struct tls **tls,
                           struct outbox_error *error) OUTBOX_MUST_USE;
void tls_free(struct tls **tls);

/* Shakes hands over a connected descriptor, and verifies certificate and name of the peer. The
 * session does not own the descriptor. */
enum outbox_status tls_session_new(struct tls *tls, int fd, const char *host,
                                   const struct patience *patience, struct tls_session **session,
                                   struct outbox_error *error) OUTBOX_MUST_USE;
void tls_session_free(struct tls_session **session);

/* Like send() and recv() on a descriptor that does not block: bytes moved, 0 for the end, -1 with
 * errno, which is EAGAIN if it has to wait; then *events is what for. */
ssize_t tls_session_send(struct tls_session *session, const void *data, size_t len, short *events);
ssize_t tls_session_receive(struct tls_session *session, void *data, size_t size, short *events);

#endif
