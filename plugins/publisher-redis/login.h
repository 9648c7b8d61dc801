/*
 * login.h - the first commands of a connection
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_LOGIN_H
#define PUBLISHER_REDIS_LOGIN_H

#include "remote.h"

/* Logs in, selects the database and asks what has to be known, all in one round trip. `host` is how
 * the server was reached, NULL for a Unix socket. */
enum outbox_status login(struct remote *remote, unsigned node, const char *host,
                         const struct patience *patience, struct wire *wire,
                         struct greeting *greeting, struct outbox_error *error) OUTBOX_MUST_USE;

/* AUTH alone, at a sentinel. */
enum outbox_status login_at_sentinel(const struct settings *settings,
                                     const struct patience *patience, struct wire *wire,
                                     struct outbox_error *error) OUTBOX_MUST_USE;

#endif
