/*
 * claim.c - taking pending events, oldest first, and giving them back
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdlib.h>

/* ---- A claim's memory --------------------------------------------------------------------- */

static void claim_reset(struct claim *claim)
{
    arena_empty(&claim->memory);
    claim->public = (struct outbox_claim){.size = sizeof(claim->public),
                                          .events = claim->events,
                                          .event_size = sizeof(struct outbox_event)};
}

struct claim *claim_new(struct outbox_session *session)
{
    struct claim *claim = session->free_claims;
    if (claim)
        session->free_claims = claim->next_free;
    else
        claim = calloc(1, sizeof(*claim));
    if (!claim)
        return NULL;
    claim->next_free = NULL;
    claim_reset(claim);
    return claim;
}

static void claim_free(struct claim *claim)
{
    arena_clear(&claim->memory);
    free(claim->events);
    free(claim->placed);
    free(claim);
}

void claim_return(struct outbox_session *session, struct outbox_claim *public)
{
    struct claim *claim = (struct claim *)public;
    if (!session) {
        claim_free(claim);
        return;
    }
    if (session->held == claim)
        claim_lost(session);
    claim_reset(claim);
    claim->next_free = session->free_claims;
    session->free_claims = claim;
}

void claim_lost(struct outbox_session *session)
{
    const struct claim *held = session->held;
    if (held && held->public.count > 0)
        watermark_lower(&session->store->pending, held->placed[0].position);
    session->held = NULL;
}

void claims_clear(struct outbox_session *session)
{
    while (session->free_claims) {
        struct claim *next = session->free_claims->next_free;
        claim_free(session->free_claims);
        session->free_claims = next;
    }
}

enum outbox_status claim_abandon(struct outbox_session *session, struct outbox_claim *claim,
                                 struct outbox_error *error)
{
    if (session->held != (struct claim *)claim)
        return OUTBOX_OK; /* a lease, or lost already */
    return rollback(session, error);
}

/* ---- The statements of a claim ------------------------------------------------------------ */

/* Below the watermark, when that is due, for one event that came late. What it finds moves the
 * watermark back, and this very claim begins there. */
static enum outbox_status look_below(struct outbox_session *session, struct claim_plan *plan,
                                     struct outbox_error *error)
{
    struct watermark *watermark = &session->store->pending;
    int64_t started = now(session);
    if (!table_has_places(&session->table) || !watermark_look(watermark, started))
        return OUTBOX_OK;
    MYSQL_STMT *statement;
    (void)held_list(session, POSITION_FIRST, plan->low);
    parameters_start(session);
    push_before(session, plan->low);
    unsigned size = held_push(session);
    enum outbox_status status =
        statement_run(session, STATEMENT_LOOK, size, "look for late events in", &statement, error);
    if (status == OUTBOX_OK)
        status = found_read(session, statement, "look for late events in", error);
    int64_t ended = now(session), cost = ended - started - session->trip;
    bool found = status == OUTBOX_OK && session->found.count > 0;
    if (found) {
        watermark_lower(watermark, session->found.list[0].position);
        plan->low = watermark_read(watermark, &plan->ticket);
        cost *= 2; /* the claim that follows walks the same way */
    }
    watermark_looked(watermark, ended, cost > 0 ? cost : 0);
    return status;
}

static int64_t clamp(uint64_t number, int64_t greatest)
{
    return number > (uint64_t)greatest ? greatest : (int64_t)number;
}

static enum outbox_status select_events(struct outbox_session *session, struct claim_plan *plan,
                                        struct position from, struct outbox_error *error)
{
    const struct outbox_claim_request *request = plan->request;
    bool from_start = position_compare(from, POSITION_FIRST) == 0;
    MYSQL_STMT *statement;
    size_t room = held_list(session, from, POSITION_LAST);
    parameters_start(session);
    parameter_integer(session, clamp(request->max_payload, INT64_MAX));
    if (!from_start)
        push_from(session, from);
    unsigned size = held_push(session);
    parameter_integer(session, clamp(request->max_events, (int64_t)room));
    enum outbox_status status =
        statement_run(session, from_start ? STATEMENT_CLAIM_FIRST : STATEMENT_CLAIM, size,
                      "claim events from", &statement, error);
    if (status == OUTBOX_OK)
        status = rows_read(session, statement, plan->claim, error);
    if (status == OUTBOX_OK)
        held_filter(session, plan->claim);
    return status;
}

static enum outbox_status mark_events(struct outbox_session *session, struct claim_plan *plan,
                                      struct outbox_error *error)
{
    const struct claim *claim = plan->claim;
    MYSQL_STMT *statement;
    keys_reset(&session->keys);
    for (uint64_t i = 0; i < claim->public.count; i++)
        keys_add(&session->keys, claim->placed[i].key);
    keys_sort(&session->keys);
    parameters_start(session);
    parameter_text(session, plan->request->token);
    unsigned size = keys_push(session, &session->keys);
    return statement_run(session, STATEMENT_LEASE, size, "claim events from", &statement, error);
}

enum outbox_status claim_run(struct outbox_session *session, struct claim_plan *plan,
                             struct position at_most, struct outbox_error *error)
{
    const struct outbox_claim_request *request = plan->request;
    plan->low = watermark_read(&session->store->pending, &plan->ticket);
    plan->claim = claim_new(session);
    if (!plan->claim)
        return failure_of_memory(error);
    enum outbox_status status = OUTBOX_OK;
    struct position from = POSITION_FIRST;
    if (!(request->flags & OUTBOX_CLAIM_FROM_START)) {
        status = look_below(session, plan, error);
        from = position_compare(at_most, plan->low) < 0 ? at_most : plan->low;
    }
    if (status == OUTBOX_OK)
        status = select_events(session, plan, from, error);
    if (status == OUTBOX_OK && is_lease(session->store) && plan->claim->public.count > 0)
        status = mark_events(session, plan, error);
    return status;
}

/* Everything before the last event was taken by this claim, is in other hands, or was not yet to be
 * seen. A claim from the start may also end below the watermark, and then more may wait there. */
static void move_watermarks(struct outbox_session *session, const struct claim_plan *plan)
{
    const struct claim *claim = plan->claim;
    struct outbox_store *store = session->store;
    if (!table_has_places(&session->table))
        return;
    struct position first = claim->placed[0].position;
    struct position last = claim->placed[claim->public.count - 1].position;
    if (position_compare(last, plan->low) < 0)
        watermark_lower(&store->pending, last);
    else
        watermark_raise(&store->pending, last, plan->ticket);
    if (is_lease(store))
        watermark_lower(&store->leases, first);
}

void claim_done(struct outbox_session *session, struct claim_plan *plan,
                struct outbox_claim **claim)
{
    struct claim *done = plan->claim;
    done->token_len = (size_t)plan->request->token.len;
    if (done->token_len > sizeof(done->token))
        done->token_len = sizeof(done->token);
    if (done->token_len > 0)
        memcpy(done->token, plan->request->token.data, done->token_len);
    if (done->public.count > 0)
        move_watermarks(session, plan);
    if (!is_lease(session->store) && done->public.count > 0)
        session->held = done;
    plan->claim = NULL;
    *claim = &done->public;
}

void claim_failed(struct outbox_session *session, struct claim_plan *plan)
{
    if (plan->claim)
        claim_return(session, &plan->claim->public);
    plan->claim = NULL;
}

/* ---- The op ------------------------------------------------------------------------------- */

enum outbox_status claim_check(const struct outbox_session *session,
                               const struct outbox_claim_request *request,
                               struct outbox_error *error)
{
    const char *table = session->store->names.table;
    if (request->max_events == 0)
        return outbox_fail(error, OUTBOX_INVALID, "", "claim events from %s: max_events is 0",
                           table);
    if (!is_lease(session->store))
        return OUTBOX_OK;
    if (request->token.len == 0 || request->token.len > 120)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "claim events from %s: the token has %llu bytes, 1 to 120 are allowed",
                           table, (unsigned long long)request->token.len);
    return OUTBOX_OK;
}

/* A transaction stays open only where it holds rows. */
static enum outbox_status take_once(struct outbox_session *session, struct claim_plan *plan,
                                    struct outbox_claim **claim, struct outbox_error *error)
{
    enum outbox_status status = claim_run(session, plan, POSITION_LAST, error);
    if (status == OUTBOX_OK && (is_lease(session->store) || plan->claim->public.count == 0))
        status = commit(session, "claim events from", error);
    if (status == OUTBOX_OK) {
        claim_done(session, plan, claim);
        return OUTBOX_OK;
    }
    claim_failed(session, plan);
    return give_up(session, status);
}

enum outbox_status claim_take(struct outbox_session *session,
                              const struct outbox_claim_request *request,
                              struct outbox_claim **claim, struct outbox_error *error)
{
    enum outbox_status status = claim_check(session, request, error);
    if (status == OUTBOX_OK)
        status = rollback(session, error);
    if (status == OUTBOX_OK)
        status = table_ensure(session, error);
    if (status == OUTBOX_OK)
        status = table_may_relay(session, error);
    if (status != OUTBOX_OK)
        return status;
    struct claim_plan plan = {.request = request};
    unsigned tries = 0;
    do
        status = take_once(session, &plan, claim, error);
    while (status != OUTBOX_OK && try_again(session, tries++));
    return status;
}
