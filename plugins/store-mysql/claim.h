/*
 * claim.h - what a claim is made of, and what settling makes of it
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_MYSQL_CLAIM_H
#define STORE_MYSQL_CLAIM_H

#include "driver.h"

/* How far a claim has come: what it found, whether it got hold of that or not. */
struct scan {
    struct position from; /* where the next of its statements begins, itself included */
    struct position last; /* of what was found */
    uint64_t found;       /* by all of its statements */
    uint64_t tied;        /* of these, how many the next statement finds again */
};

/* What claim_take() is made of, for settle_and_take() to use within its own transaction. */
struct claim_plan {
    const struct outbox_claim_request *request;
    uint64_t ticket; /* of the watermark */
    struct position low;
    struct scan scan;
    struct claim *claim;
};
enum outbox_status claim_check(const struct outbox_session *session,
                               const struct outbox_claim_request *request,
                               struct outbox_error *error) OUTBOX_MUST_USE;

/* Selects and locks, and in mode lease marks, the next events; begins no later than at `at_most`.
 * Nothing is committed yet. */
enum outbox_status claim_run(struct outbox_session *session, struct claim_plan *plan,
                             struct position at_most, struct outbox_error *error) OUTBOX_MUST_USE;

/* The transaction is committed, or held: hands the claim out. */
void claim_done(struct outbox_session *session, struct claim_plan *plan,
                struct outbox_claim **claim);

/* It is not: gives the claim's memory back. */
void claim_failed(struct outbox_session *session, struct claim_plan *plan);

/* A claim of no event; NULL if memory ran out. */
struct claim *claim_new(struct outbox_session *session) OUTBOX_MUST_USE;

/* In claim_held.c: what is held back in memory, for tables that cannot put off a retry.
 *
 * Before a claim or a look: lists in session->held_keys all that is held back between the two
 * positions, and returns how many events may be claimed at most. */
size_t held_list(struct outbox_session *session, struct position from, struct position to);

/* What is held back is not due. */
void held_recount(const struct outbox_session *session, struct outbox_store_stats *stats);

/* The list as parameters; returns the size of the statement that takes them. */
unsigned held_push(struct outbox_session *session);

/* Takes out of a claim what is held back by now, and fills in the attempts that only memory has. */
void held_filter(struct outbox_session *session, struct claim *claim);

/* The settlement that the table can take: where it has no place for a dead event, that stays
 * pending and is put off for long, and the log says so. */
struct outbox_settlement held_instead(const struct outbox_session *session,
                                      const struct claim *claim,
                                      const struct outbox_settlement *settlement);

/* Before a settlement is sent: once its row is free it must be held back already. */
void held_put(const struct outbox_session *session, const struct claim *claim,
              const struct outbox_settlement *settlement, bool charged);

/* After it is committed. */
void held_settled(const struct outbox_session *session, const struct outbox_settle_request *settle,
                  const struct claim *claim);

/* In rows.c: what STATEMENT_CLAIM answers, into the claim's memory, up to so many events in all.
 * *scan is brought forward. */
enum outbox_status rows_read(struct outbox_session *session, MYSQL_STMT *statement,
                             struct claim *claim, uint64_t most, struct scan *scan,
                             struct outbox_error *error) OUTBOX_MUST_USE;

#endif
