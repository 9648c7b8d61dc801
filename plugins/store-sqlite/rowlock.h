/*
 * rowlock.h - locks on single rows, for mode hold
 * SPDX-License-Identifier: MIT
 *
 * SQLite has one lock for the whole file, which a claim must not keep while its events are
 * published. So a held row is locked in a file of its own beside the database: the byte at the
 * row's number, which need not exist, is locked by fcntl(). Every session has the file open for
 * itself and the locks belong to that (they are "open file description locks"): so two sessions
 * exclude each other in whatever store, pipeline or process they are, and a session that ends, or a
 * process that dies, leaves nothing locked.
 *
 * Rows that stand beside each other become one lock. That matters because the kernel goes through
 * all locks of a file for each new one: where ids are random and give the order, a claim has about
 * as many locks as rows, and must not have too many of them.
 */
#ifndef STORE_SQLITE_ROWLOCK_H
#define STORE_SQLITE_ROWLOCK_H

#include <outbox/types.h>
#include <stdbool.h>

struct outbox_session;

struct rowlock {
    int fd; /* -1: not open yet */
};

void rowlock_init(struct rowlock *lock);

/* Lets go of every row. */
void rowlock_clear(struct rowlock *lock);

/* Opens the file, or makes it. Not called while this session has locked a row. */
enum outbox_status rowlock_ready(struct outbox_session *session,
                                 struct outbox_error *error) OUTBOX_MUST_USE;

/* Locks the row of that number unless somebody else has it; never waits. */
enum outbox_status rowlock_take(struct outbox_session *session, int64_t row, bool *taken,
                                struct outbox_error *error) OUTBOX_MUST_USE;

/* Whether nobody else has it. */
enum outbox_status rowlock_is_free(struct outbox_session *session, int64_t row, bool *is_free,
                                   struct outbox_error *error) OUTBOX_MUST_USE;

/* Whether anybody holds any row, for who claims by a lease and makes no file. */
enum outbox_status rowlock_others(struct outbox_session *session, bool *others,
                                  struct outbox_error *error) OUTBOX_MUST_USE;

/* Lets go of one row, or of all. */
void rowlock_give(struct rowlock *lock, int64_t row);
void rowlock_give_all(struct rowlock *lock);

#endif
