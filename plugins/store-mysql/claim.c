/*
 * claim.c - taking pending events, oldest first, and giving them back
 * SPDX-License-Identifier: MIT
 */
#include "claim.h"

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

/* Candidates that a look reads at first. */
#define LOOK_SIZE 1000

static enum outbox_status run_look(struct outbox_session *session, enum statement look,
                                   struct position low, int64_t most, int64_t *cost,
                                   struct outbox_error *error)
{
    static const char what[] = "look for late events in";
    MYSQL_STMT *statement;
    parameters_start(session);
    push_before(session, low);
    unsigned size = held_push(session);
    if (session->table.locks_by_key)
        parameter_integer(session, most);
    enum outbox_status status = statement_run(session, look, size, what, &statement, error);
    if (status == OUTBOX_OK)
        status = found_read(session, statement, what, error);
    *cost += statement_cost(session);
    return status;
}

/* Finds the first event before `low` that is in no hands, if there is one. What others hold stands
 * there as well, so as much is read as it takes to get past it. */
static enum outbox_status find_late(struct outbox_session *session, struct position low,
                                    int64_t *cost, struct outbox_error *error)
{
    bool by_key = session->table.locks_by_key;
    enum outbox_status status = OUTBOX_OK;
    (void)held_list(session, POSITION_FIRST, low);
    for (int64_t most = LOOK_SIZE; status == OUTBOX_OK; most *= 4) {
        if (by_key)
            status = run_look(session, STATEMENT_LOOK, low, most, cost, error);
        int64_t candidates = (int64_t)session->found.count;
        if (status != OUTBOX_OK || (by_key && candidates == 0))
            break;
        status = run_look(session, STATEMENT_LOOK_FREE, low, most, cost, error);
        if (!by_key || session->found.count > 0 || candidates < most)
            break;
    }
    return status;
}

/* Below the watermark, when that is due, for one event that came late. What it finds moves the
 * watermark back, and this very claim begins there. */
static enum outbox_status look_below(struct outbox_session *session, struct claim_plan *plan,
                                     struct outbox_error *error)
{
    struct watermark *watermark = &session->store->pending;
    int64_t cost = 0;
    if (!table_has_places(&session->table) || !watermark_look(watermark, now(session)))
        return OUTBOX_OK;
    enum outbox_status status = find_late(session, plan->low, &cost, error);
    bool found = status == OUTBOX_OK && session->found.count > 0;
    if (found) {
        watermark_lower(watermark, session->found.list[0].position);
        plan->low = watermark_read(watermark, &plan->ticket);
        cost *= 2; /* the claim that follows walks the same way */
    }
    watermark_looked(watermark, now(session), cost);
    return status;
}

static int64_t clamp(uint64_t number, int64_t greatest)
{
    return number > (uint64_t)greatest ? greatest : (int64_t)number;
}

/* Reads on from where the scan has come to, up to `most` candidates. */
static enum outbox_status select_some(struct outbox_session *session, struct claim_plan *plan,
                                      uint64_t wanted, int64_t most, struct outbox_error *error)
{
    const struct outbox_claim_request *request = plan->request;
    bool from_start = position_compare(plan->scan.from, POSITION_FIRST) == 0;
    MYSQL_STMT *statement;
    parameters_start(session);
    parameter_integer(session, clamp(request->max_payload, INT64_MAX));
    if (!from_start)
        push_from(session, plan->scan.from);
    unsigned size = held_push(session);
    parameter_integer(session, most);
    enum outbox_status status =
        statement_run(session, from_start ? STATEMENT_CLAIM_FIRST : STATEMENT_CLAIM, size,
                      "claim events from", &statement, error);
    return status == OUTBOX_OK
               ? rows_read(session, statement, plan->claim, wanted, &plan->scan, error)
               : status;
}

/* Goes on behind what others hold or were just quicker to take, until the claim is full or nothing
 * is left. With many thousands of events in other hands it ends before, and the next claim goes on
 * from there; one from the start would not, and is what tells that nothing is left. */
enum { STATEMENTS_MAX = 64 };

static void read_on(const struct table *table, struct scan *scan)
{
    if (!table_has_places(table))
        return;
    scan->from = position_beyond(table, scan->last);
    if (position_compare(scan->from, scan->last) > 0)
        scan->tied = 0;
}

static enum outbox_status select_events(struct outbox_session *session, struct claim_plan *plan,
                                        struct position from, struct outbox_error *error)
{
    const struct claim *claim = plan->claim;
    bool from_start = plan->request->flags & OUTBOX_CLAIM_FROM_START;
    enum outbox_status status = OUTBOX_OK;
    size_t room = held_list(session, from, POSITION_LAST);
    uint64_t wanted = (uint64_t)clamp(plan->request->max_events, (int64_t)room);
    uint64_t enough = wanted - wanted / 8; /* not worth another statement */
    plan->scan = (struct scan){.from = from, .last = POSITION_FIRST};
    bool more = true;
    for (int i = 0; (i < STATEMENTS_MAX || from_start) && status == OUTBOX_OK && more; i++) {
        uint64_t before = plan->scan.found;
        uint64_t most = wanted - claim->public.count + plan->scan.tied;
        status = select_some(session, plan, wanted, (int64_t)most, error);
        more = claim->public.count < enough && plan->scan.found - before == most;
        read_on(&session->table, &plan->scan);
    }
    return status;
}

/* Everything up to the last place that was seen is taken by this claim, is in other hands, or was
 * not yet to be seen. Other workers begin there from now on, before it is even committed. */
static void pass_on(struct outbox_session *session, const struct claim_plan *plan)
{
    bool was_behind = position_compare(plan->scan.last, plan->low) < 0;
    if (plan->scan.found > 0 && table_has_places(&session->table) && !was_behind)
        watermark_raise(&session->store->pending, plan->scan.from, plan->ticket);
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

static enum outbox_status find_events(struct outbox_session *session, struct claim_plan *plan,
                                      struct position at_most, struct outbox_error *error)
{
    enum outbox_status status = OUTBOX_OK;
    struct position from = POSITION_FIRST;
    plan->low = watermark_read(&session->store->pending, &plan->ticket);
    if (!(plan->request->flags & OUTBOX_CLAIM_FROM_START)) {
        status = look_below(session, plan, error);
        from = position_compare(at_most, plan->low) < 0 ? at_most : plan->low;
    }
    if (status == OUTBOX_OK)
        status = select_events(session, plan, from, error);
    if (status == OUTBOX_OK)
        pass_on(session, plan);
    return status;
}

enum outbox_status claim_run(struct outbox_session *session, struct claim_plan *plan,
                             struct position at_most, struct outbox_error *error)
{
    struct turn *looking = &session->store->looking;
    plan->claim = claim_new(session);
    if (!plan->claim)
        return failure_of_memory(error);
    bool has_turn = turn_take(looking);
    enum outbox_status status = find_events(session, plan, at_most, error);
    if (has_turn)
        turn_give(looking);
    if (status == OUTBOX_OK)
        held_filter(session, plan->claim);
    if (status == OUTBOX_OK && is_lease(session->store) && plan->claim->public.count > 0)
        status = mark_events(session, plan, error);
    return status;
}

/* A claim from the start may end below the watermark, and then more may wait there. */
static void move_watermarks(struct outbox_session *session, const struct claim_plan *plan)
{
    const struct claim *claim = plan->claim;
    struct outbox_store *store = session->store;
    if (!table_has_places(&session->table))
        return;
    if (position_compare(plan->scan.last, plan->low) < 0)
        watermark_lower(&store->pending, plan->scan.last);
    if (is_lease(store))
        watermark_lower(&store->leases, claim->placed[0].position);
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
    struct claim *claim = plan->claim;
    if (claim && claim->public.count > 0 && table_has_places(&session->table))
        watermark_lower(&session->store->pending, claim->placed[0].position);
    if (claim)
        claim_return(session, &claim->public);
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
