/*
 * claim_hold.c - claiming without a lease: rows stay pending, and are locked beside the database
 * SPDX-License-Identifier: MIT
 *
 * Rows are found and locked under the write lock. Nobody can settle meanwhile, and whoever settles
 * lets go of his rows only after his commit: so a row that can be locked is pending in what this
 * transaction sees. Nothing is written, and so nothing waits for the disk.
 */
#include "claim.h"
#include "failure.h"
#include "held.h"
#include "rows.h"

static const char doing[] = "claim events";

void claim_let_go(struct outbox_session *session)
{
    rowlock_give_all(&session->rowlock);
    session->held = NULL;
}

/* The key that the statement stands at, without a copy. */
static struct claimed_row key_at(sqlite3_stmt *row)
{
    int type = sqlite3_column_type(row, 0);
    const char *bytes = type == SQLITE_BLOB ? sqlite3_column_blob(row, 0)
                                            : (const char *)sqlite3_column_text(row, 0);
    uint64_t len = bytes ? (uint64_t)sqlite3_column_bytes(row, 0) : 0;
    return (struct claimed_row){
        type, sqlite3_column_int64(row, 0), {bytes, len}, sqlite3_column_int64(row, 1)};
}

static enum outbox_status start_finding(struct outbox_session *session, sqlite3_stmt **row,
                                        struct outbox_error *error)
{
    enum outbox_status status = session_statement(session, STATEMENT_FIND, row, error);
    if (status == OUTBOX_OK)
        (void)sqlite3_bind_text(*row, 1, session->now_text.text, INSTANT_LEN, SQLITE_STATIC);
    return status;
}

static enum outbox_status end_finding(struct outbox_session *session, sqlite3_stmt *row, int code,
                                      enum outbox_status status, struct outbox_error *error)
{
    if (status == OUTBOX_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        status = failure(session, doing, error);
    (void)sqlite3_reset(row); /* repeats a failure already taken */
    return status;
}

/* ---- Looking ------------------------------------------------------------------------------ */

/* Whether there is anything to claim, without the write lock. */
static enum outbox_status look(struct outbox_session *session, bool *found,
                               struct outbox_error *error)
{
    sqlite3_stmt *row = NULL;
    int code = SQLITE_DONE;
    *found = false;
    enum outbox_status status = session_read_clock(session, doing, error);
    if (status == OUTBOX_OK)
        status = start_finding(session, &row, error);
    if (status != OUTBOX_OK)
        return status;
    while (!*found && status == OUTBOX_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        struct claimed_row key = key_at(row);
        if (!held_back(session, &key))
            status = rowlock_is_free(session, key.place, found, error);
    }
    return end_finding(session, row, code, status, error);
}

/* ---- Taking ------------------------------------------------------------------------------- */

static enum outbox_status take_one(struct outbox_session *session, struct claim *claim,
                                   sqlite3_stmt *row, struct outbox_error *error)
{
    bool taken = false;
    struct claimed_row key = key_at(row);
    if (held_back(session, &key))
        return OUTBOX_OK;
    enum outbox_status status = rowlock_take(session, key.place, &taken, error);
    if (status != OUTBOX_OK || !taken)
        return status;
    if (!claim_grow(claim) || !claim_keep_key(claim, row, &claim->rows[claim->base.count]))
        return failure_no_memory(doing, error);
    claim->base.count++;
    return OUTBOX_OK;
}

static enum outbox_status take_keys(struct outbox_session *session, uint64_t max_events,
                                    struct claim *claim, struct outbox_error *error)
{
    sqlite3_stmt *row = NULL;
    int code = SQLITE_DONE;
    enum outbox_status status = start_finding(session, &row, error);
    if (status != OUTBOX_OK)
        return status;
    while (claim->base.count < max_events && status == OUTBOX_OK &&
           (code = sqlite3_step(row)) == SQLITE_ROW)
        status = take_one(session, claim, row, error);
    return end_finding(session, row, code, status, error);
}

/* What does not fit is free for others. */
static void shorten(struct outbox_session *session, struct claim *claim, uint64_t count)
{
    for (uint64_t i = count; i < claim->base.count; i++)
        rowlock_give(&session->rowlock, claim->rows[i].place);
    claim->base.count = count;
}

/* One row for each key, in their order. */
static enum outbox_status read_one(struct outbox_session *session, struct claim *claim,
                                   sqlite3_stmt *row, uint64_t index, uint64_t max_payload,
                                   struct outbox_error *error)
{
    struct outbox_slice stored;
    if (sqlite3_column_int64(row, 0) != (int64_t)index || index == claim->base.count)
        return claim_not_unique(session, error);
    struct outbox_event *event = &claim->events[index];
    if (!claim_keep_event(claim, row, max_payload, event, &stored))
        return failure_no_memory(doing, error);
    if (!session->shape.has[ROLE_ATTEMPTS])
        event->attempts = held_attempts(session, &claim->rows[index]);
    return OUTBOX_OK;
}

static enum outbox_status read_events(struct outbox_session *session, uint64_t max_payload,
                                      struct claim *claim, struct outbox_error *error)
{
    sqlite3_stmt *row = NULL;
    uint64_t count = 0;
    int code = SQLITE_DONE;
    enum outbox_status status = session_statement(session, STATEMENT_READ, &row, error);
    if (status != OUTBOX_OK)
        return status;
    const struct row_set all = {.claim = claim};
    rows_bind(row, 1, &all);
    (void)sqlite3_bind_int64(row, 3, claim_bounded(max_payload));
    while (status == OUTBOX_OK && claim->arena.taken < CLAIM_BYTES_MAX &&
           (code = sqlite3_step(row)) == SQLITE_ROW)
        status = read_one(session, claim, row, count++, max_payload, error);
    bool ended = code == SQLITE_DONE;
    status = end_finding(session, row, code, status, error);
    if (status == OUTBOX_OK && ended && count < claim->base.count)
        return claim_not_unique(session, error);
    if (status == OUTBOX_OK)
        shorten(session, claim, count);
    return status;
}

static enum outbox_status take_and_read(struct outbox_session *session,
                                        const struct outbox_claim_request *request,
                                        uint64_t max_events, struct claim *claim,
                                        struct outbox_error *error)
{
    enum outbox_status status = transaction_begin(session, doing, error);
    if (status != OUTBOX_OK)
        return status;
    status = take_keys(session, max_events, claim, error);
    if (status == OUTBOX_OK && claim->base.count > 0)
        status = read_events(session, request->max_payload, claim, error);
    return transaction_end(session, status, doing, error);
}

static enum outbox_status hold(struct outbox_session *session,
                               const struct outbox_claim_request *request, uint64_t max_events,
                               struct outbox_claim **claim, struct outbox_error *error)
{
    struct claim *made = claim_new(session);
    if (!made)
        return failure_no_memory(doing, error);
    made->token_len = 0;
    enum outbox_status status = take_and_read(session, request, max_events, made, error);
    if (status != OUTBOX_OK) {
        claim_let_go(session);
        claim_recycle(session, made);
        return status;
    }
    made->base.events = made->events;
    if (made->base.count > 0)
        session->held = made;
    *claim = &made->base;
    return OUTBOX_OK;
}

enum outbox_status claim_hold(struct outbox_session *session,
                              const struct outbox_claim_request *request,
                              struct outbox_claim **claim, struct outbox_error *error)
{
    bool found = false;
    if (session->held)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "%s: this session holds a claim that is not settled", doing);
    enum outbox_status status = session_require_shape(session, error);
    if (status == OUTBOX_OK)
        status = rowlock_ready(session, error);
    if (status != OUTBOX_OK)
        return status;
    uint64_t room = held_room(session);
    if (room > HOLD_MAX)
        room = HOLD_MAX;
    if (room > 0)
        status = look(session, &found, error);
    if (status != OUTBOX_OK)
        return status;
    if (!found)
        return claim_nothing(session, claim, error);
    return hold(session, request, room < request->max_events ? room : request->max_events, claim,
                error);
}

enum outbox_status store_abandon(struct outbox_session *session, struct outbox_claim *claim,
                                 struct outbox_error *error)
{
    (void)error;
    if (session->held && &session->held->base == claim)
        claim_let_go(session);
    return OUTBOX_OK;
}
