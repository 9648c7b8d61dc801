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
};

enum { TOKEN_MAX = 120 };

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

/* Keeps the claim's memory for the next one. */
void claim_recycle(struct outbox_session *session, struct claim *claim);

/* Frees the memory of all recycled claims. */
void claims_free(struct outbox_session *session);

#endif
