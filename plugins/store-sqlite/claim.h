/*
 * claim.h - events claimed together, and the memory they stay in
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_CLAIM_H
#define STORE_SQLITE_CLAIM_H

#include "claim_arena.h"
#include "session.h"

/* What names an event's row: its number where that is stable, else the id as the table stores it.
 */
struct claimed_row {
    int key_type; /* SQLITE_INTEGER, SQLITE_TEXT or SQLITE_BLOB */
    int64_t number;
    struct outbox_slice bytes;
    int64_t place; /* mode hold: where it is locked */
};

enum { TOKEN_MAX = 120 };

/* A claim ends early when its payloads are that large together; the next claim brings the rest. */
#define CLAIM_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* In mode hold also with so many events: see rowlock.h. */
#define HOLD_MAX UINT64_C(1000)

struct claim {
    struct outbox_claim base; /* first: the relay holds a pointer to it */
    struct claimed_row *rows;
    struct outbox_event *events;
    uint64_t capacity;
    struct arena arena;
    char token[TOKEN_MAX];
    int token_len;
    struct claim *next; /* in session->spare_claims */
};

/* Ops of the ABI, see <outbox/store.h>. */
enum outbox_status store_claim(struct outbox_session *session,
                               const struct outbox_claim_request *request,
                               struct outbox_claim **claim, struct outbox_error *error);
void store_claim_close(struct outbox_session *session, struct outbox_claim *claim);

/* Claims inside the transaction that runs. *claim is NULL on failure. */
enum outbox_status claim_in_transaction(struct outbox_session *session,
                                        const struct outbox_claim_request *request,
                                        struct claim **claim, struct outbox_error *error)
    __attribute__((warn_unused_result));

enum outbox_status claim_check_request(const struct outbox_claim_request *request,
                                       struct outbox_error *error)
    __attribute__((warn_unused_result));

/* Mode hold, see claim_hold.c. */
enum outbox_status claim_hold(struct outbox_session *session,
                              const struct outbox_claim_request *request,
                              struct outbox_claim **claim, struct outbox_error *error)
    __attribute__((warn_unused_result));
enum outbox_status store_abandon(struct outbox_session *session, struct outbox_claim *claim,
                                 struct outbox_error *error);

/* The rows of the claim that the session holds are free again. */
void claim_let_go(struct outbox_session *session);

/* A claim of no event. */
enum outbox_status claim_nothing(struct outbox_session *session, struct outbox_claim **claim,
                                 struct outbox_error *error) __attribute__((warn_unused_result));

/* Possible in a table made elsewhere only; settling such a row could settle another. */
enum outbox_status claim_not_unique(const struct outbox_session *session,
                                    struct outbox_error *error) __attribute__((warn_unused_result));

static inline int64_t claim_bounded(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* ---- Memory ------------------------------------------------------------------------------- */

/* NULL when memory is out. */
struct claim *claim_new(struct outbox_session *session) __attribute__((warn_unused_result));

/* Makes room for one more. False when memory is out, as of the next two. */
bool claim_grow(struct claim *claim) __attribute__((warn_unused_result));

/* Copies an event, and its id as the table stores it. */
bool claim_keep_event(struct claim *claim, sqlite3_stmt *row, uint64_t max_payload,
                      struct outbox_event *event, struct outbox_slice *stored)
    __attribute__((warn_unused_result));

/* Copies a key and its place, the two columns of STATEMENT_FIND. */
bool claim_keep_key(struct claim *claim, sqlite3_stmt *row, struct claimed_row *kept)
    __attribute__((warn_unused_result));

/* Keeps the claim's memory for the next one. */
void claim_recycle(struct outbox_session *session, struct claim *claim);

/* Frees the memory of all recycled claims. */
void claims_free(struct outbox_session *session);

#endif
