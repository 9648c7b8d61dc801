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
    if (!events || !placed) {
        free(events);
        free(placed);
        return false;
    }
    free(claim->events);
    free(claim->placed);
    claim->events = events;
    claim->placed = placed;
    claim->capacity = count;
    claim->public.events = events;
    return true;
}

static bool is_uuid(const struct table *table, int len)
{
    Oid type = table->type[ROLE_EVENT_ID];
    return len == UUID_BYTES && (type == TYPE_UUID || type == TYPE_BYTEA);
}

/* How long an id is as text, where it is no text in the result: a UUID, else bytes as the server
 * writes them. */
static size_t id_text_len(const struct table *table, int len)
{
    return is_uuid(table, len) ? UUID_TEXT : 2 + 2 * (size_t)len;
}

/* Room for the ids of `count` rows. */
static bool reserve_ids(const struct table *table, struct claim *claim, size_t count)
{
    Oid type = table->type[ROLE_EVENT_ID];
    size_t size = 0;
    if (type != TYPE_UUID && type != TYPE_BYTEA)
        return true;
    for (size_t i = 0; i < count; i++)
        size += id_text_len(table, PQgetlength(claim->result, (int)i, table->field[FIELD_ID]));
    if (size <= claim->ids_size)
        return true;
    char *ids = malloc(size);
    if (!ids)
        return false;
    free(claim->ids);
    claim->ids = ids;
    claim->ids_size = size;
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
    if (column < 0 || PQgetisnull(result, row, column))
        return 0;
    return instant_to_unix(get_int64(PQgetvalue(result, row, column)));
}

static int64_t integer(const PGresult *result, int row, int column)
{
    if (column < 0 || PQgetisnull(result, row, column))
        return 0;
    return get_integer(PQgetvalue(result, row, column), PQgetlength(result, row, column));
}

/* Writes an id as text to `text`, from where the next one follows. */
static struct outbox_slice id_value(const struct table *table, const PGresult *result, int row,
                                    char **text)
{
    static const char digits[] = "0123456789abcdef";
    struct outbox_slice id = value(result, row, table->field[FIELD_ID]);
    Oid type = table->type[ROLE_EVENT_ID];
    if (type != TYPE_UUID && type != TYPE_BYTEA)
        return id;
    struct outbox_slice written = {*text, id_text_len(table, (int)id.len)};
    *text += written.len;
    if (is_uuid(table, (int)id.len)) {
        uuid_format(id.data, *text - written.len);
        return written;
    }
    char *to = *text - written.len;
    *to++ = '\\';
    *to++ = 'x';
    for (uint64_t i = 0; i < id.len; i++) {
        *to++ = digits[(unsigned char)id.data[i] >> 4];
        *to++ = digits[(unsigned char)id.data[i] & 15];
    }
    return written;
}

/* A payload that is NULL is an empty one; absent is one that is too large. */
static struct outbox_slice payload_value(const struct table *table, const PGresult *result, int row)
{
    if (PQgetisnull(result, row, table->field[FIELD_PAYLOAD_SIZE]))
        return (struct outbox_slice){"", 0};
    return value(result, row, table->field[FIELD_PAYLOAD]);
}

/* Binary jsonb is a version byte and then the text. */
static struct outbox_slice headers_value(const struct table *table, const PGresult *result, int row)
{
    struct outbox_slice headers = value(result, row, table->field[FIELD_HEADERS]);
    if (headers.len > 0 && table->type[ROLE_HEADERS] == TYPE_JSONB)
        return (struct outbox_slice){headers.data + 1, headers.len - 1};
    return headers;
}

static void read_event(const struct table *table, struct claim *claim, size_t index, char **text)
{
    const PGresult *result = claim->result;
    int row = claim->placed[index].row;
    const int *field = table->field;
    struct outbox_event *event = &claim->events[index];
    event->id = id_value(table, result, row, text);
    event->type = value(result, row, field[FIELD_TYPE]);
    event->payload = payload_value(table, result, row);
    event->payload_size = (uint64_t)integer(result, row, field[FIELD_PAYLOAD_SIZE]);
    event->headers = headers_value(table, result, row);
    event->partition_key = value(result, row, field[FIELD_PARTITION_KEY]);
    event->ordering_key = value(result, row, field[FIELD_ORDERING_KEY]);
    event->aggregate_type = value(result, row, field[FIELD_AGGREGATE_TYPE]);
    event->aggregate_id = value(result, row, field[FIELD_AGGREGATE_ID]);
    event->attempts = integer(result, row, field[FIELD_ATTEMPTS]);
    event->created_at = instant(result, row, field[FIELD_CREATED_AT]);
    event->available_at = event->created_at;
    if (table->has[ROLE_AVAILABLE_AT])
        event->available_at = instant(result, row, field[FIELD_AVAILABLE_AT]);
}

static void read_events(const struct outbox_session *session, struct claim *claim)
{
    const struct table *table = &session->table;
    char *text = claim->ids;
    for (size_t i = 0; i < claim->public.count; i++) {
        read_event(table, claim, i, &text);
        if (table->holds_back && !table->has[ROLE_ATTEMPTS])
            claim->events[i].attempts = held_attempts(session, claim, i);
    }
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
        claim->placed[i].row = row;
        claim->placed[i].position = table_position(
            table, claim->result, row, table->field[FIELD_AVAILABLE_AT], table->field[FIELD_TIE]);
        if (i > 0 && compare_placed(&claim->placed[i - 1], &claim->placed[i]) > 0)
            sorted = false;
    }
    if (!sorted)
        qsort(claim->placed, count, sizeof(*claim->placed), compare_placed);
}

/* Whether a scan can begin elsewhere than at the start. */
static bool has_positions(const struct table *table)
{
    return table->has[ROLE_AVAILABLE_AT] || table->tie_kind != TIE_OTHER;
}

/* Everything before the last event was taken by this claim, is in other hands, or was not yet to be
 * seen. A claim from the start may also end below the watermark, and then more may wait there. */
static void move_watermark(struct outbox_session *session, const struct claim_plan *plan,
                           const struct claim *claim)
{
    if (claim->public.count == 0 || !has_positions(&session->table))
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
        watermark_lower(watermark, table_position(&session->table, look, 0, 0, 1));
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
    if (claim)
        claim->result = exchange_take(session, plan->place);
    if (!claim || !claim_reserve(claim, count) || !reserve_ids(&session->table, claim, count)) {
        if (claim)
            claim_return(session, &claim->public);
        session->lost = true; /* what was claimed comes back when the session, or the lease, ends */
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "ENOMEM",
                           "claim events from %s: out of memory", session->store->names.table);
    }
    place(&session->table, claim, count);
    if (session->table.holds_back)
        count = held_filter(session, claim, count);
    claim->public.count = count;
    read_events(session, claim);
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

static struct parameter int64_parameter(char *bytes, int64_t number)
{
    put_int64(bytes, number);
    return (struct parameter){bytes, 8};
}

static int64_t clamp(uint64_t number)
{
    return number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

static struct parameter held_parameter(const struct outbox_session *session)
{
    const struct buffer *held = &session->scratch[SCRATCH_HELD];
    return (struct parameter){held->data, held->len};
}

/* Writes the parameters of a position, where the statement has them. */
static void set_bounds(const struct outbox_session *session, const struct claim_places *places,
                       struct position from, char bytes[3][16], struct parameter *parameters)
{
    if (places->at)
        parameters[places->at - 1] = int64_parameter(bytes[0], from.at);
    if (places->tie)
        parameters[places->tie - 1] = table_tie(&session->table, from, bytes[1]);
    if (places->held)
        parameters[places->held - 1] = held_parameter(session);
}

static void queue_look(struct outbox_session *session, struct claim_plan *plan)
{
    char bytes[3][16];
    struct parameter parameters[PARAMETER_MAX];
    struct claim_places places = look_places(&session->table);
    set_bounds(session, &places, plan->low, bytes, parameters);
    plan->look_place = exchange_statement(session, STATEMENT_LOOK, parameters, places.count);
}

static void queue_claim(struct outbox_session *session, struct claim_plan *plan,
                        struct position from, int64_t limit)
{
    const struct outbox_claim_request *request = plan->request;
    char bytes[3][16], limit_bytes[8];
    struct parameter parameters[PARAMETER_MAX];
    struct claim_places places = claim_places(session->store, &session->table);
    set_bounds(session, &places, from, bytes, parameters);
    parameters[places.limit - 1] = int64_parameter(limit_bytes, limit);
    parameters[places.payload - 1] = int64_parameter(bytes[2], clamp(request->max_payload));
    if (places.token)
        parameters[places.token - 1] =
            (struct parameter){request->token.data, (size_t)request->token.len};
    plan->place = exchange_statement(session, STATEMENT_CLAIM, parameters, places.count);
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
    int64_t limit = clamp(request->max_events);
    if (session->table.holds_back)
        limit = held_prepare(session, limit);
    plan->looks = !(request->flags & OUTBOX_CLAIM_FROM_START) && has_positions(&session->table) &&
                  watermark_look(&session->store->pending, now(session));
    plan->looked_at = now(session);
    if (plan->looks)
        queue_look(session, plan);
    queue_claim(session, plan, from, limit);
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
