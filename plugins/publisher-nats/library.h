/*
 * library.h - the client library as a whole
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_LIBRARY_H
#define PUBLISHER_NATS_LIBRARY_H

#include <outbox/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Starts the library, if nobody has. False if that failed. */
bool library_start(void) OUTBOX_MUST_USE;

/* For each start that succeeded, when all that was made by the library since is gone. The last one
 * waits for the library's threads. */
void library_stop(void);

/* Why the library's last call on this thread failed, in words without its file names. `status` is
 * what the call returned. */
void library_reason(int status, char *text, size_t size);

/* Keeps SIGPIPE, and every other signal, from being handled by this thread: the library's writes
 * through TLS raise it when a connection is gone. For threads of our own. */
void library_block_signals(void);

#endif
