/*
 * claim.c - claiming due events by a lease: find, copy, mark, in one transaction
 * SPDX-License-Identifier: MIT
 *
 * A SELECT, then one UPDATE of the rows it gave. One UPDATE ... RETURNING was measured at 1.5 times
 * the time: it keeps every returned row, payload and all, in a temporary table, and gives them back
 * in no order.
 */
#include "claim.h"

#include "failure.h"
#include "rows.h"

#include <inttypes.h>

static const char doing[] = "claim events";

static bool keep_row(struct claim *claim, sqlite3_stmt *row, bool by_number, uint64_t max_payload)
{
    struct outbox_slice stored;
    if (!claim_grow(claim) ||
        !claim_keep_event(claim, row, max_payload, &claim->events[claim->base.count], &stored))
        return false;
    int key = by_number ? 0 : 1; /* the column */
    claim->rows[claim->base.count++] = (struct claimed_row){
        sqlite3_column_type(row, key), sqlite3_column_int64(row, key), stored, 0};
    return true;
}

/* ---- The claim ---------------------------------------------------------------------------- */

/* Keeps the row unless a relay in mode hold has it. */
static enum outbox_status take_row(struct outbox_session *session, struct claim *claim,
                                   sqlite3_stmt *row, bool others, uint64_t max_payload,
                                   struct outbox_error *error)
{
    bool is_free = true;
    enum outbox_status status =
        others ? rowlock_is_free(session, sqlite3_column_int64(row, 0), &is_free, error)
               : OUTBOX_OK;
    if (status != OUTBOX_OK || !is_free)
        return status;
    return keep_row(claim, row, session->shape.rowid_is_stable, max_payload)
               ? OUTBOX_OK
               : failure_no_memory(doing, error);
}

static enum outbox_status find_due(struct outbox_session *session,
                                   const struct outbox_claim_request *request, struct claim *claim,
                                   struct outbox_error *error)
{
    sqlite3_stmt *row = NULL;
    bool others = false;
    int code = SQLITE_DONE;
    enum outbox_status status = session_statement(session, STATEMENT_CLAIM, &row, error);
    if (status == OUTBOX_OK)
        status = rowlock_others(session, &others, error);
    if (status != OUTBOX_OK)
        return status;
    (void)sqlite3_bind_text(row, 1, session->now_text.text, INSTANT_LEN, SQLITE_STATIC);
    (void)sqlite3_bind_int64(row, 2, others ? INT64_MAX : claim_bounded(request->max_events));
    (void)sqlite3_bind_int64(row, 3, claim_bounded(request->max_payload));
    while (status == OUTBOX_OK && claim->base.count < request->max_events &&
           claim->arena.taken < CLAIM_BYTES_MAX && (code = sqlite3_step(row)) == SQLITE_ROW)
        status = take_row(session, claim, row, others, request->max_payload, error);
    if (status == OUTBOX_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        status = failure(session, doing, error);
    (void)sqlite3_reset(row); /* repeats a failure already taken */
    return status;
}

static enum outbox_status mark_claimed(struct outbox_session *session, const struct claim *claim,
                                       struct outbox_error *error)
{
    sqlite3_stmt *mark = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_MARK, &mark, error);
    if (status != OUTBOX_OK)
        return status;
    const struct row_set all = {.claim = claim};
    rows_bind(mark, 1, &all);
    (void)sqlite3_bind_text(mark, 2, claim->token, claim->token_len, SQLITE_STATIC);
    (void)sqlite3_bind_text(mark, 3, session->now_text.text, INSTANT_LEN, SQLITE_STATIC);
    status = session_run(session, mark, doing, error);
    if (status != OUTBOX_OK || (uint64_t)sqlite3_changes(session->db) == claim->base.count)
        return status;
    return claim_not_unique(session, error);
}

enum outbox_status claim_not_unique(const struct outbox_session *session,
                                    struct outbox_error *error)
{
    return outbox_fail(
        error, OUTBOX_SCHEMA, "",
        "%s: table %.100s has due events whose %.100s is NULL or not unique; correct them "
        "and put a UNIQUE index on the column",
        doing, session->store->columns.table, session->store->columns.names[ROLE_EVENT_ID]);
}

enum outbox_status claim_check_request(const struct outbox_claim_request *request,
                                       struct outbox_error *error)
{
    if (request->max_events == 0)
        return outbox_fail(error, OUTBOX_INVALID, "", "%s: max_events is 0", doing);
    if (!request->token.data || request->token.len == 0 || request->token.len > TOKEN_MAX)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "%s: the token has %" PRIu64 " bytes; it must have 1 to %d", doing,
                           request->token.data ? request->token.len : 0, TOKEN_MAX);
    return OUTBOX_OK;
}

enum outbox_status claim_in_transaction(struct outbox_session *session,
                                        const struct outbox_claim_request *request,
                                        struct claim **claim, struct outbox_error *error)
{
    *claim = NULL;
    struct claim *made = claim_new(session);
    if (!made)
        return failure_no_memory(doing, error);
    memcpy(made->token, request->token.data, request->token.len);
    made->token_len = (int)request->token.len;
    enum outbox_status status = find_due(session, request, made, error);
    if (status == OUTBOX_OK && made->base.count > 0)
        status = mark_claimed(session, made, error);
    if (status != OUTBOX_OK) {
        claim_recycle(session, made);
        return status;
    }
    made->base.events = made->events;
    *claim = made;
    return OUTBOX_OK;
}

/* Whether anything is due, without the write lock: an idle relay that polls costs producers
 * nothing. */
static enum outbox_status look(struct outbox_session *session, bool *due,
                               struct outbox_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_DUE, &statement, error);
    if (status != OUTBOX_OK)
        return status;
    int code = sqlite3_step(statement);
    *due = code == SQLITE_ROW;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = failure(session, doing, error);
    (void)sqlite3_reset(statement); /* repeats a failure already taken */
    return status;
}

enum outbox_status claim_nothing(struct outbox_session *session, struct outbox_claim **claim,
                                 struct outbox_error *error)
{
    /* A file that was replaced would look idle for ever. */
    enum outbox_status status = session_check_file(session, error);
    if (status != OUTBOX_OK)
        return status;
    struct claim *made = claim_new(session);
    if (!made)
        return failure_no_memory(doing, error);
    made->token_len = 0;
    made->base.events = made->events;
    *claim = &made->base;
    return OUTBOX_OK;
}

static enum outbox_status claim_lease(struct outbox_session *session,
                                      const struct outbox_claim_request *request,
                                      struct outbox_claim **claim, struct outbox_error *error)
{
    bool due = false;
    enum outbox_status status = look(session, &due, error);
    if (status != OUTBOX_OK)
        return status;
    if (!due)
        return claim_nothing(session, claim, error);
    status = transaction_begin(session, doing, error);
    if (status != OUTBOX_OK)
        return status;
    struct claim *made = NULL;
    status = claim_in_transaction(session, request, &made, error);
    status = transaction_end(session, status, doing, error);
    if (status == OUTBOX_OK)
        *claim = &made->base;
    else if (made)
        claim_recycle(session, made);
    return status;
}

enum outbox_status store_claim(struct outbox_session *session,
                               const struct outbox_claim_request *request,
                               struct outbox_claim **claim, struct outbox_error *error)
{
    enum outbox_status status = claim_check_request(request, error);
    if (status == OUTBOX_OK)
        status = session_ready(session, false, error);
    if (status != OUTBOX_OK)
        return status;
    return session->store->lease ? claim_lease(session, request, claim, error)
                                 : claim_hold(session, request, claim, error);
}
