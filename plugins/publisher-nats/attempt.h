/*
 * attempt.h - connecting on a thread of its own, which can be given up
 * SPDX-License-Identifier: MIT
 *
 * Nothing limits how long a name is looked up, nor a TLS handshake inside of the library: a server
 * that falls silent just then would hold whoever connects. So a thread does it that nobody has to
 * join. One that was given up closes what it may still get, frees what is its own, and ends.
 */
#ifndef PUBLISHER_NATS_ATTEMPT_H
#define PUBLISHER_NATS_ATTEMPT_H

#include "link.h"

struct attempt;

/* Begins to connect with server number `first`; writes to wake_fd when it is done. NULL if no
 * thread or memory is to be had. */
struct attempt *attempt_start(struct settings *settings, size_t first, int wake_fd) OUTBOX_MUST_USE;

bool attempt_is_done(struct attempt *attempt);

/* Of one that is done: the link, or NULL with why there is none. *server is the one connected to.
 * Frees the attempt. */
struct link *attempt_finish(struct attempt *attempt, size_t *server, enum outbox_status *status,
                            struct outbox_error *error) OUTBOX_MUST_USE;
void attempt_give_up(struct attempt *attempt);

/* Waits for the threads of attempts that were given up, `nanoseconds` at the longest. */
void attempts_wait(struct settings *settings, int64_t nanoseconds);

#endif
