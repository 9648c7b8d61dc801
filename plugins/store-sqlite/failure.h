/*
 * failure.h - what an SQLite result code means to the relay
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_FAILURE_H
#define STORE_SQLITE_FAILURE_H

#include "session.h"

/* Fills *error from the connection's last failure and returns its class. `doing` is what was being
 * done, as in "claim events". */
enum outbox_status failure(struct outbox_session *session, const char *doing,
                           struct outbox_error *error);

/* The same for a connection that is not (yet) a session's. */
enum outbox_status failure_of(const struct outbox_store *store, sqlite3 *db, const char *doing,
                              struct outbox_error *error);

enum outbox_status failure_no_memory(const char *doing, struct outbox_error *error);

#endif
