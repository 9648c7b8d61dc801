/*
 * claim.c - taking pending events, oldest first, and giving them back
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"
#include "uuid.h"

#include <stdlib.h>

static bool is_lease(const struct outbox_session *session)
{
    return session->store->settings.mode == OUTBOX_MODE_LEASE;
}

static int64_t now(const struct outbox_session *session)
{
    return session->store->host->now(session->store->host);
}

/* ---- A claim's memory --------------------------------------------------------------------- */

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
    claim->public = (struct outbox_claim){.size = sizeof(claim->public),
                                          .events = claim->events,
                                          .event_size = sizeof(struct outbox_event)};
    return claim;
}

static void claim_free(struct claim *claim)
{
    PQclear(claim->result);
    free(claim->events);
    free(claim->placed);
    free(claim->ids);
    free(claim);
}

static bool claim_reserve(struct claim *claim, size_t count)
{
    if (count <= claim->capacity)
        return true;
    struct outbox_event *events = calloc(count, sizeof(*events));
    struct placed *placed = calloc(count, sizeof(*placed));
    char *ids = malloc(count * UUID_TEXT);
    if (!events || !placed || !ids) {
        free(events);
        free(placed);
        free(ids);
        return false;
    }
    free(claim->events);
    free(claim->placed);
    free(claim->ids);
    claim->events = events;
    claim->placed = placed;
    claim->ids = ids;
    claim->capacity = count;
    claim->public.events = events;
    return true;
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
    PQclear(claim->result);
    claim->result = NULL;
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
    return exchange_rollback(session, error);
}

/* ---- Reading a result --------------------------------------------------------------------- */

static struct outbox_slice value(const PGresult *result, int row, int column)
{
    if (column < 0 || PQgetisnull(result, row, column))
        return (struct outbox_slice){NULL, 0};
    return (struct outbox_slice){PQgetvalue(result, row, column),
                                 (uint64_t)PQgetlength(result, row, column)};
}

static int64_t instant(const PGresult *result, int row, int column)
{
    return instant_to_unix(get_int64(PQgetvalue(result, row, column)));
}

/* Binary jsonb is a version byte and then the text. */
static struct outbox_slice headers_value(const struct table *table, const PGresult *result, int row)
{
    struct outbox_slice headers = value(result, row, table->field[FIELD_HEADERS]);
    if (headers.len > 0 && table->type[ROLE_HEADERS] == TYPE_JSONB)
        return (struct outbox_slice){headers.data + 1, headers.len - 1};
    return headers;
}

static void read_event(const struct table *table, struct claim *claim, size_t index)
{
    const PGresult *result = claim->result;
    int row = claim->placed[index].row;
    const int *field = table->field;
    struct outbox_event *event = &claim->events[index];
    event->id = value(result, row, field[FIELD_ID]);
    if (table->type[ROLE_EVENT_ID] == TYPE_UUID && event->id.len == UUID_BYTES) {
        char *text = claim->ids + index * UUID_TEXT;
        uuid_format(event->id.data, text);
        event->id = (struct outbox_slice){text, UUID_TEXT};
    }
    event->type = value(result, row, field[FIELD_TYPE]);
    event->payload = value(result, row, field[FIELD_PAYLOAD]);
    event->payload_size =
        (uint64_t)get_integer(PQgetvalue(result, row, field[FIELD_PAYLOAD_SIZE]),
                              PQgetlength(result, row, field[FIELD_PAYLOAD_SIZE]));
    event->headers = headers_value(table, result, row);
    event->partition_key = value(result, row, field[FIELD_PARTITION_KEY]);
    event->ordering_key = value(result, row, field[FIELD_ORDERING_KEY]);
    event->aggregate_type = value(result, row, field[FIELD_AGGREGATE_TYPE]);
    event->aggregate_id = value(result, row, field[FIELD_AGGREGATE_ID]);
    event->attempts = get_integer(PQgetvalue(result, row, field[FIELD_ATTEMPTS]),
                                  PQgetlength(result, row, field[FIELD_ATTEMPTS]));
    event->created_at = instant(result, row, field[FIELD_CREATED_AT]);
    event->available_at = instant(result, row, field[FIELD_AVAILABLE_AT]);
}

static int compare_placed(const void *a, const void *b)
{
    return position_compare(((const struct placed *)a)->position,
                            ((const struct placed *)b)->position);
}

/* An UPDATE returns its rows in no promised order; nearly always it is the right one. */
static void place(const struct table *table, struct claim *claim, size_t count)
{
    bool sorted = true;
    for (size_t i = 0; i < count; i++) {
        int row = (int)i;
        const char *at = PQgetvalue(claim->result, row, table->field[FIELD_AVAILABLE_AT]);
        const char *tie = PQgetvalue(claim->result, row, table->field[FIELD_TIE]);
        claim->placed[i] = (struct placed){{get_int64(at), get_int64(tie)}, row};
        if (i > 0 && compare_placed(&claim->placed[i - 1], &claim->placed[i]) > 0)
            sorted = false;
    }
    if (!sorted)
        qsort(claim->placed, count, sizeof(*claim->placed), compare_placed);
}

/* Everything before the last event was taken by this claim, is in other hands, or was not yet to be
 * seen. A claim from the start may also end below the watermark, and then more may wait there. */
static void move_watermark(struct outbox_session *session, const struct claim_plan *plan,
                           const struct claim *claim)
{
    if (claim->public.count == 0)
        return;
    struct position last = claim->placed[claim->public.count - 1].position;
    if (position_compare(last, plan->low) < 0)
        watermark_lower(&session->store->pending, last);
    else
        watermark_raise(&session->store->pending, last, plan->ticket);
}

/* An empty claim must not keep a transaction open: it would pin dead rows for the whole database.
 */
static enum outbox_status hold_or_end(struct outbox_session *session, struct claim *claim,
                                      struct outbox_error *error)
{
    if (claim->public.count > 0) {
        session->held = claim;
        return OUTBOX_OK;
    }
    exchange_start(session);
    exchange_text(session, "COMMIT");
    return exchange_run(session, "end an empty claim on", error);
}

/* What the look found. The claim beside it began at the watermark all the same: the next one takes
 * the found event. */
static void claim_looked(struct outbox_session *session, struct claim_plan *plan)
{
    struct watermark *watermark = &session->store->pending;
    const PGresult *look = exchange_result(session, plan->look_place);
    int64_t cost = 1000 * get_int64(PQgetvalue(look, 0, 2));
    plan->found_late = !PQgetisnull(look, 0, 0);
    if (plan->found_late) {
        struct position found = {get_int64(PQgetvalue(look, 0, 0)),
                                 get_int64(PQgetvalue(look, 0, 1))};
        watermark_lower(watermark, found);
        cost *= 2; /* the claim that follows walks the same way */
    }
    plan->looks = false;
    watermark_looked(watermark, now(session), cost);
}

enum outbox_status claim_read(struct outbox_session *session, struct claim_plan *plan,
                              struct outbox_claim **public, struct outbox_error *error)
{
    if (plan->looks)
        claim_looked(session, plan);
    struct claim *claim = claim_new(session);
    int rows = PQntuples(exchange_result(session, plan->place));
    size_t count = rows > 0 ? (size_t)rows : 0;
    if (!claim || !claim_reserve(claim, count)) {
        if (claim)
            claim_return(session, &claim->public);
        session->lost = true; /* what was claimed comes back when the session, or the lease, ends */
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "ENOMEM",
                           "claim events from %s: out of memory", session->store->names.table);
    }
    claim->result = exchange_take(session, plan->place);
    place(&session->table, claim, count);
    for (size_t i = 0; i < count; i++)
        read_event(&session->table, claim, i);
    claim->public.count = count;
    claim->token_len = (size_t)plan->request->token.len;
    if (claim->token_len > 0)
        memcpy(claim->token, plan->request->token.data, claim->token_len);
    move_watermark(session, plan, claim);
    enum outbox_status status = is_lease(session) ? OUTBOX_OK : hold_or_end(session, claim, error);
    if (status != OUTBOX_OK) {
        claim_return(session, &claim->public);
        return status;
    }
    *public = &claim->public;
    return OUTBOX_OK;
}

/* ---- Claiming ----------------------------------------------------------------------------- */

enum outbox_status claim_check(const struct outbox_session *session,
                               const struct outbox_claim_request *request,
                               struct outbox_error *error)
{
    const char *table = session->store->names.table;
    if (request->max_events == 0)
        return outbox_fail(error, OUTBOX_INVALID, "", "claim events from %s: max_events is 0",
                           table);
    if (!is_lease(session))
        return OUTBOX_OK;
    if (request->token.len == 0 || request->token.len > 120)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "claim events from %s: the token has %llu bytes, 1 to 120 are allowed",
                           table, (unsigned long long)request->token.len);
    return OUTBOX_OK;
}

static struct parameter int64_parameter(char bytes[8], int64_t number)
{
    put_int64(bytes, number);
    return (struct parameter){bytes, 8};
}

static int64_t clamp(uint64_t number)
{
    return number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

static void queue_look(struct outbox_session *session, struct claim_plan *plan)
{
    char at[8], tie[8];
    struct parameter parameters[] = {int64_parameter(at, plan->low.at),
                                     int64_parameter(tie, plan->low.tie)};
    plan->look_place = exchange_statement(session, STATEMENT_LOOK, parameters, 2);
}

void claim_queue(struct outbox_session *session, struct claim_plan *plan, struct position at_most)
{
    const struct outbox_claim_request *request = plan->request;
    plan->low = watermark_read(&session->store->pending, &plan->ticket);
    struct position from = plan->low;
    if (request->flags & OUTBOX_CLAIM_FROM_START)
        from = POSITION_FIRST;
    else if (position_compare(at_most, from) < 0)
        from = at_most;
    plan->looks = !(request->flags & OUTBOX_CLAIM_FROM_START) &&
                  watermark_look(&session->store->pending, now(session));
    plan->looked_at = now(session);
    if (plan->looks)
        queue_look(session, plan);
    char limit[8], at[8], tie[8], max_payload[8];
    struct parameter parameters[] = {int64_parameter(limit, clamp(request->max_events)),
                                     int64_parameter(at, from.at),
                                     int64_parameter(tie, from.tie),
                                     int64_parameter(max_payload, clamp(request->max_payload)),
                                     {request->token.data, (size_t)request->token.len}};
    plan->place =
        exchange_statement(session, STATEMENT_CLAIM, parameters, is_lease(session) ? 5 : 4);
}

void claim_failed(struct outbox_session *session, struct claim_plan *plan)
{
    if (plan->looks)
        watermark_looked(&session->store->pending, now(session), now(session) - plan->looked_at);
    plan->looks = false;
}

static enum outbox_status take_once(struct outbox_session *session, struct claim_plan *plan,
                                    struct outbox_claim **claim, struct outbox_error *error)
{
    exchange_start(session);
    /* A lease lost in a crash of the server leaves the event PENDING, which is safe: no need to
     * wait for the disk. */
    if (is_lease(session))
        exchange_statement(session, STATEMENT_ASYNC_COMMIT, NULL, 0);
    else
        exchange_text(session, "BEGIN");
    claim_queue(session, plan, POSITION_LAST);
    enum outbox_status status = exchange_run(session, "claim events from", error);
    if (status == OUTBOX_OK)
        return claim_read(session, plan, claim, error);
    claim_failed(session, plan);
    return status;
}

enum outbox_status claim_take(struct outbox_session *session,
                              const struct outbox_claim_request *request,
                              struct outbox_claim **claim, struct outbox_error *error)
{
    enum outbox_status status = claim_check(session, request, error);
    if (status == OUTBOX_OK)
        status = exchange_rollback(session, error);
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
    while (status != OUTBOX_OK && exchange_again(session, tries++));
    if (status != OUTBOX_OK || !plan.found_late || (*claim)->count > 0)
        return status;
    /* Nothing but what came late: it need not wait for another claim. */
    claim_return(session, *claim);
    struct claim_plan late = {.request = request};
    return take_once(session, &late, claim, error);
}
