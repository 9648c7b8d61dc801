/*
 * settle.c - outcomes written back, leases renewed
 * SPDX-License-Identifier: MIT
 *
 * One statement for each verdict that occurs, however many rows have it. Stepping a statement for
 * each row was measured at 1.7 times the time: opening the table and its indexes anew costs more
 * than the change.
 */
#include "settle.h"

#include "claim.h"
#include "failure.h"
#include "held.h"
#include "rows.h"

#include <inttypes.h>

static const char doing[] = "settle events";

static enum outbox_status check_one(const struct outbox_settle_request *settle, uint64_t at,
                                    struct outbox_error *error)
{
    const struct outbox_settlement *settlement = outbox_settlement_at(settle, at);
    if (settlement->index >= settle->claim->count)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "%s: settlement %" PRIu64 " is for event %" PRIu64
                           " of a claim that has %" PRIu64,
                           doing, at, settlement->index, settle->claim->count);
    if (settlement->verdict < OUTBOX_SETTLE_DELIVERED ||
        settlement->verdict > OUTBOX_SETTLE_RELEASE)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "%s: settlement %" PRIu64 " has the unknown verdict %u", doing, at,
                           settlement->verdict);
    return OUTBOX_OK;
}

static enum outbox_status check(const struct outbox_settle_request *settle,
                                struct outbox_error *error)
{
    enum outbox_status status = OUTBOX_OK;
    for (uint64_t i = 0; i < settle->count && status == OUTBOX_OK; i++)
        status = check_one(settle, i, error);
    return status;
}

/* How many settlements have the verdict, and whether one of them brings an error to note. */
static uint64_t count_verdict(const struct outbox_settle_request *settle, uint32_t verdict,
                              bool buries, bool *noted)
{
    uint64_t count = 0;
    *noted = false;
    for (uint64_t i = 0; i < settle->count; i++) {
        const struct outbox_settlement *settlement = outbox_settlement_at(settle, i);
        if (settlement_verdict(settlement, buries) != verdict)
            continue;
        count++;
        if (settlement->error.data)
            *noted = true;
    }
    return count;
}

static enum statement statement_for(const struct outbox_session *session, uint32_t verdict,
                                    bool noted)
{
    switch (verdict) {
    case OUTBOX_SETTLE_DELIVERED:
        if (session->store->delete_delivered)
            return STATEMENT_DELETED;
        return noted ? STATEMENT_DELIVERED_NOTED : STATEMENT_DELIVERED;
    case OUTBOX_SETTLE_RETRY:
        return STATEMENT_RETRY;
    case OUTBOX_SETTLE_DEAD:
        return STATEMENT_DEAD;
    default:
        return STATEMENT_RELEASE;
    }
}

static enum outbox_status settle_verdict(struct outbox_session *session, const struct row_set *set,
                                         enum statement id, uint64_t *changed,
                                         struct outbox_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum outbox_status status = session_statement(session, id, &statement, error);
    if (status != OUTBOX_OK)
        return status;
    rows_bind(statement, 1, set);
    (void)sqlite3_bind_text(statement, 2, set->claim->token, set->claim->token_len, SQLITE_STATIC);
    if (id != STATEMENT_DELETED)
        (void)sqlite3_bind_text(statement, 3, session->now_text.text, INSTANT_LEN, SQLITE_STATIC);
    status = session_run(session, statement, doing, error);
    if (status == OUTBOX_OK)
        *changed = (uint64_t)sqlite3_changes(session->db);
    return status;
}

/* A row that was held is still pending, and may have no column that its failure changes. */
static bool is_written(const struct shape *shape, uint32_t verdict, bool noted)
{
    if (shape->lease)
        return true;
    if (verdict == OUTBOX_SETTLE_RETRY)
        return shape->writes_failures;
    return verdict != OUTBOX_SETTLE_RELEASE || (noted && shape->has[ROLE_LAST_ERROR]);
}

static enum outbox_status settle_in_transaction(struct outbox_session *session,
                                                const struct outbox_settle_request *settle,
                                                struct outbox_settle_result *result,
                                                struct outbox_error *error)
{
    struct row_set set = {.claim = (const struct claim *)settle->claim,
                          .settle = settle,
                          .now = session->now,
                          .buries = shape_buries(&session->shape),
                          .error_chars = session->shape.error_chars};
    result->settled = 0;
    result->stale = 0;
    for (set.verdict = OUTBOX_SETTLE_DELIVERED; set.verdict <= OUTBOX_SETTLE_RELEASE;
         set.verdict++) {
        bool noted = false;
        uint64_t changed = 0, count = count_verdict(settle, set.verdict, set.buries, &noted);
        if (count == 0)
            continue;
        if (!is_written(&session->shape, set.verdict, noted)) {
            result->settled += count;
            continue;
        }
        enum outbox_status status = settle_verdict(
            session, &set, statement_for(session, set.verdict, noted), &changed, error);
        if (status != OUTBOX_OK)
            return status;
        result->settled += changed;
        result->stale += count > changed ? count - changed : 0;
    }
    return OUTBOX_OK;
}

/* Mode hold: its rows went back when they were abandoned, or with the session that held them. */
static bool lost_hold(const struct outbox_session *session,
                      const struct outbox_settle_request *settle)
{
    return !session->store->lease && (!session->held || &session->held->base != settle->claim);
}

/* After the commit, not before it: see claim_hold.c. */
static void let_go(struct outbox_session *session, const struct outbox_settle_request *settle)
{
    if (session->store->lease)
        return;
    held_settled(session, settle);
    claim_let_go(session);
}

enum outbox_status store_settle(struct outbox_session *session,
                                const struct outbox_settle_request *settle,
                                struct outbox_settle_result *result, struct outbox_error *error)
{
    enum outbox_status status = check(settle, error);
    if (status == OUTBOX_OK && lost_hold(session, settle)) {
        result->settled = 0;
        result->stale = settle->count;
        return OUTBOX_OK;
    }
    if (status == OUTBOX_OK)
        status = session_ready(session, false, error);
    if (status == OUTBOX_OK)
        status = session_require_shape(session, error);
    if (status == OUTBOX_OK)
        status = transaction_begin(session, doing, error);
    if (status != OUTBOX_OK)
        return status;
    status = settle_in_transaction(session, settle, result, error);
    status = transaction_end(session, status, doing, error);
    if (status == OUTBOX_OK)
        let_go(session, settle);
    return status;
}

static enum outbox_status lease_together(struct outbox_session *session,
                                         const struct outbox_settle_request *settle,
                                         struct outbox_settle_result *result,
                                         const struct outbox_claim_request *request,
                                         struct outbox_claim **claim, struct outbox_error *error)
{
    enum outbox_status status = check(settle, error);
    if (status == OUTBOX_OK)
        status = session_ready(session, false, error);
    if (status == OUTBOX_OK)
        status = session_require_shape(session, error);
    if (status == OUTBOX_OK)
        status = transaction_begin(session, doing, error);
    if (status != OUTBOX_OK)
        return status;
    struct claim *made = NULL;
    status = settle_in_transaction(session, settle, result, error);
    if (status == OUTBOX_OK)
        status = claim_in_transaction(session, request, &made, error);
    status = transaction_end(session, status, "settle and claim events", error);
    if (status == OUTBOX_OK)
        *claim = &made->base;
    else if (made)
        claim_recycle(session, made);
    return status;
}

/* What is settled must be told. The next claim will fail as this one did, and say so. */
static enum outbox_status settled_alone(struct outbox_session *session, enum outbox_status status,
                                        struct outbox_claim **claim, struct outbox_error *error)
{
    if (status == OUTBOX_OK || status == OUTBOX_UNAVAILABLE)
        return status;
    struct claim *empty = claim_new(session);
    if (!empty)
        return failure_no_memory(doing, error);
    *claim = &empty->base;
    return OUTBOX_OK;
}

enum outbox_status store_settle_and_claim(struct outbox_session *session,
                                          const struct outbox_settle_request *settle,
                                          struct outbox_settle_result *result,
                                          const struct outbox_claim_request *request,
                                          struct outbox_claim **claim, struct outbox_error *error)
{
    enum outbox_status status = claim_check_request(request, error);
    if (status != OUTBOX_OK)
        return status;
    if (session->store->lease)
        return lease_together(session, settle, result, request, claim, error);
    status = store_settle(session, settle, result, error);
    if (status != OUTBOX_OK)
        return status;
    return settled_alone(session, store_claim(session, request, claim, error), claim, error);
}

enum outbox_status store_renew(struct outbox_session *session, struct outbox_slice token,
                               uint64_t expected, struct outbox_settle_result *result,
                               struct outbox_error *error)
{
    static const char renewing[] = "renew a lease";
    sqlite3_stmt *statement = NULL;
    enum outbox_status status = session_ready(session, false, error);
    if (status == OUTBOX_OK)
        status = session_statement(session, STATEMENT_RENEW, &statement, error);
    if (status == OUTBOX_OK)
        status = transaction_begin(session, renewing, error);
    if (status != OUTBOX_OK)
        return status;
    (void)sqlite3_bind_text64(statement, 1, token.data, token.len, SQLITE_STATIC, SQLITE_UTF8);
    (void)sqlite3_bind_text(statement, 2, session->now_text.text, INSTANT_LEN, SQLITE_STATIC);
    status = session_run(session, statement, renewing, error);
    uint64_t held = status == OUTBOX_OK ? (uint64_t)sqlite3_changes(session->db) : 0;
    status = transaction_end(session, status, renewing, error);
    if (status == OUTBOX_OK) {
        result->settled = held;
        result->stale = held < expected ? expected - held : 0;
    }
    return status;
}
