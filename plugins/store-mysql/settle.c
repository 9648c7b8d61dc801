/*
 * settle.c - applying the outcomes of a claim
 * SPDX-License-Identifier: MIT
 */
#include "claim.h"

/* What one settle call comes down to. */
struct work {
    const struct outbox_settle_request *settle;
    struct claim *claim;
    size_t mixed, untouched;
    struct position released; /* the oldest that is pending again, POSITION_LAST if none */
    uint64_t changed;
};

/* ---- Building ----------------------------------------------------------------------------- */

static void note_released(struct work *work, size_t index)
{
    struct position position = work->claim->placed[index].position;
    if (position_compare(position, work->released) < 0)
        work->released = position;
}

/* What is held back is found again by a look below the watermark. */
static void add_mixed(struct outbox_session *session, struct work *work,
                      const struct outbox_settlement *given)
{
    struct outbox_settlement settlement = held_instead(session, work->claim, given);
    bool charged = given->verdict == OUTBOX_SETTLE_DEAD ? given->charge != 0
                                                        : given->verdict == OUTBOX_SETTLE_RETRY;
    held_put(session, work->claim, &settlement, charged);
    if (!session->table.writes_failures) {
        work->untouched++;
        return;
    }
    const struct key *key = &work->claim->placed[settlement.index].key;
    outcomes_add(session, key, &settlement, charged);
    keys_add(&session->mixed_keys, *key);
    work->mixed++;
}

static enum outbox_status add_settlement(struct outbox_session *session, struct work *work,
                                         const struct outbox_settlement *settlement,
                                         struct outbox_error *error)
{
    if (settlement->index >= work->claim->public.count)
        return outbox_fail(error, OUTBOX_INVALID, "", "settle events of %s: there is no event %llu",
                           session->store->names.table, (unsigned long long)settlement->index);
    size_t index = (size_t)settlement->index;
    switch (settlement->verdict) {
    case OUTBOX_SETTLE_DELIVERED:
        keys_add(&session->keys, work->claim->placed[index].key);
        return OUTBOX_OK;
    case OUTBOX_SETTLE_RELEASE:
        note_released(work, index);
        /* A held row is pending still: without a reason to write it is only let go. */
        if (!is_lease(session->store) &&
            (!settlement->error.data || !table_has(&session->table, ROLE_LAST_ERROR)))
            work->untouched++;
        else
            add_mixed(session, work, settlement);
        return OUTBOX_OK;
    case OUTBOX_SETTLE_RETRY:
    case OUTBOX_SETTLE_DEAD:
        add_mixed(session, work, settlement);
        return OUTBOX_OK;
    default:
        return outbox_fail(error, OUTBOX_INVALID, "", "settle events of %s: unknown verdict %u",
                           session->store->names.table, settlement->verdict);
    }
}

static enum outbox_status build(struct outbox_session *session, struct work *work,
                                struct outbox_error *error)
{
    keys_reset(&session->keys);
    keys_reset(&session->mixed_keys);
    outcomes_start(session);
    for (uint64_t i = 0; i < work->settle->count; i++) {
        enum outbox_status status =
            add_settlement(session, work, outbox_settlement_at(work->settle, i), error);
        if (status != OUTBOX_OK)
            return status;
    }
    outcomes_end(session);
    keys_sort(&session->keys);
    /* What a call leaves out of a held claim is let go with the rest. */
    if (!is_lease(session->store) && work->settle->count < work->claim->public.count)
        note_released(work, 0);
    return session->keys.failed || session->outcomes.failed ? failure_of_memory(error) : OUTBOX_OK;
}

/* ---- Writing ------------------------------------------------------------------------------ */

static void push_token(struct outbox_session *session, const struct work *work)
{
    if (is_lease(session->store))
        parameter_text(session, (struct outbox_slice){work->claim->token, work->claim->token_len});
}

static enum outbox_status write_delivered(struct outbox_session *session, struct work *work,
                                          struct outbox_error *error)
{
    MYSQL_STMT *statement;
    if (session->keys.count == 0)
        return OUTBOX_OK;
    parameters_start(session);
    unsigned size = 0;
    if (session->store->settings.delete_delivered)
        size = keys_push_deletion(session, &session->keys);
    else
        size = keys_push(session, &session->keys);
    push_token(session, work);
    enum outbox_status status =
        statement_run(session, STATEMENT_DELIVERED, size, "settle events of", &statement, error);
    if (status == OUTBOX_OK)
        work->changed += mysql_stmt_affected_rows(statement);
    return status;
}

static enum outbox_status write_mixed(struct outbox_session *session, struct work *work,
                                      struct outbox_error *error)
{
    MYSQL_STMT *statement;
    if (work->mixed == 0)
        return OUTBOX_OK;
    parameters_start(session);
    parameter_text(session, (struct outbox_slice){session->outcomes.data, session->outcomes.len});
    keys_push_span(session, &session->mixed_keys);
    push_token(session, work);
    enum outbox_status status =
        statement_run(session, STATEMENT_MIXED, 0, "settle events of", &statement, error);
    if (status == OUTBOX_OK)
        work->changed += mysql_stmt_affected_rows(statement);
    return status;
}

static enum outbox_status write_outcomes(struct outbox_session *session, struct work *work,
                                         struct outbox_error *error)
{
    work->changed = work->untouched = work->mixed = 0;
    work->released = POSITION_LAST;
    enum outbox_status status = build(session, work, error);
    if (status == OUTBOX_OK)
        status = write_delivered(session, work, error);
    return status == OUTBOX_OK ? write_mixed(session, work, error) : status;
}

/* ---- After the commit --------------------------------------------------------------------- */

static void finish(struct outbox_session *session, const struct work *work,
                   struct outbox_settle_result *result)
{
    uint64_t settled = work->untouched + work->changed;
    /* Where ids repeat, more rows may change than were asked for. */
    result->settled = settled < work->settle->count ? settled : work->settle->count;
    result->stale = work->settle->count - result->settled;
    held_settled(session, work->settle, work->claim);
    if (session->held == work->claim)
        session->held = NULL;
    if (position_compare(work->released, POSITION_LAST) < 0)
        watermark_lower(&session->store->pending, work->released);
}

static bool lost_hold(const struct outbox_session *session, const struct work *work)
{
    return !is_lease(session->store) && session->held != work->claim;
}

static enum outbox_status begin(struct outbox_session *session, struct work *work,
                                const struct outbox_settle_request *settle,
                                struct outbox_error *error)
{
    *work = (struct work){.settle = settle, .claim = (struct claim *)settle->claim};
    return lost_hold(session, work) ? OUTBOX_OK : table_ensure(session, error);
}

/* ---- The ops ------------------------------------------------------------------------------ */

enum outbox_status settle_apply(struct outbox_session *session,
                                const struct outbox_settle_request *settle,
                                struct outbox_settle_result *result, struct outbox_error *error)
{
    struct work work;
    enum outbox_status status = begin(session, &work, settle, error);
    if (status != OUTBOX_OK)
        return status;
    unsigned tries = 0;
    do {
        if (lost_hold(session, &work)) {
            result->settled = 0;
            result->stale = settle->count;
            return OUTBOX_OK;
        }
        status = write_outcomes(session, &work, error);
        if (status == OUTBOX_OK)
            status = commit(session, "settle events of", error);
        if (status != OUTBOX_OK)
            status = give_up(session, status);
    } while (status != OUTBOX_OK && try_again(session, tries++));
    if (status == OUTBOX_OK)
        finish(session, &work, result);
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
        return failure_of_memory(error);
    *claim = &empty->public;
    return OUTBOX_OK;
}

static enum outbox_status together_once(struct outbox_session *session, struct work *work,
                                        struct claim_plan *plan, struct outbox_error *error)
{
    enum outbox_status status = write_outcomes(session, work, error);
    if (status == OUTBOX_OK)
        status = claim_run(session, plan, work->released, error);
    if (status == OUTBOX_OK)
        status = commit(session, "settle and claim events of", error);
    if (status == OUTBOX_OK)
        return OUTBOX_OK;
    claim_failed(session, plan);
    return give_up(session, status);
}

static enum outbox_status lease_together(struct outbox_session *session, struct work *work,
                                         struct outbox_settle_result *result,
                                         struct claim_plan *plan, struct outbox_claim **claim,
                                         struct outbox_error *error)
{
    enum outbox_status status;
    unsigned tries = 0;
    do
        status = together_once(session, work, plan, error);
    while (status != OUTBOX_OK && try_again(session, tries++));
    if (status != OUTBOX_OK)
        return status;
    claim_done(session, plan, claim);
    finish(session, work, result);
    return OUTBOX_OK;
}

enum outbox_status settle_and_take(struct outbox_session *session,
                                   const struct outbox_settle_request *settle,
                                   struct outbox_settle_result *result,
                                   const struct outbox_claim_request *request,
                                   struct outbox_claim **claim, struct outbox_error *error)
{
    struct work work;
    enum outbox_status status = claim_check(session, request, error);
    if (status == OUTBOX_OK)
        status = begin(session, &work, settle, error);
    if (status != OUTBOX_OK)
        return status;
    struct claim_plan plan = {.request = request};
    if (is_lease(session->store))
        return lease_together(session, &work, result, &plan, claim, error);
    status = settle_apply(session, settle, result, error);
    if (status != OUTBOX_OK)
        return status;
    return settled_alone(session, claim_take(session, request, claim, error), claim, error);
}
