/*
 * settle.c - applying the outcomes of a claim
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdlib.h>

/* A reason longer than this helps nobody, and rides along in every later version of the row. */
#define ERROR_TEXT_MAX 8000

/* A century: beyond it the server's interval arithmetic would fail. Microseconds. */
#define DELAY_MAX (INT64_C(100) * 365 * 86400 * 1000000)

/* The scratch buffers of the session, while a settlement is being built. */
enum {
    DELIVERED_KEYS,
    MIXED_KEYS,
    MIXED_VERDICTS,
    MIXED_DELAYS,
    MIXED_CHARGES,
    MIXED_ERRORS,
    ERROR_TEXT
};

/* What one settle call comes down to. */
struct work {
    const struct outbox_settle_request *settle;
    const struct claim *claim;
    bool by_tid; /* else by id */
    size_t delivered, mixed, untouched;
    struct position released; /* the oldest that is pending again, POSITION_LAST if none */
    size_t delivered_place, mixed_place, commit_place;
};

static bool is_lease(const struct outbox_session *session)
{
    return session->store->settings.mode == OUTBOX_MODE_LEASE;
}

/* ---- Text that a column can hold ---------------------------------------------------------- */

/* The bytes of the well-formed UTF-8 character at `at`, 0 if there is none. */
static size_t character_len(const unsigned char *at, size_t left)
{
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (len == 0 || len > left || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool surrogate = at[0] == 0xed && at[1] > 0x9f;
    bool beyond = at[0] == 0xf4 && at[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : len;
}

/* What a broker said may be any bytes. What the column cannot hold becomes '?'. */
static void make_storable(struct buffer *to, struct outbox_slice text, bool ascii, size_t most)
{
    const unsigned char *at = (const unsigned char *)text.data;
    size_t left = (size_t)text.len;
    buffer_reset(to);
    for (size_t characters = 0; left > 0 && characters < most; characters++) {
        size_t len = character_len(at, left);
        bool holds = len > 0 && at[0] != 0 && (len == 1 || !ascii);
        if (to->len + (len ? len : 1) > ERROR_TEXT_MAX)
            return;
        if (holds)
            buffer_bytes(to, at, len);
        else
            buffer_bytes(to, "?", 1);
        at += len ? len : 1;
        left -= len ? len : 1;
    }
}

static void add_error(struct outbox_session *session, struct outbox_slice text)
{
    struct buffer *errors = &session->scratch[MIXED_ERRORS];
    if (!text.data) {
        array_add_null(errors);
        return;
    }
    const char *encoding = PQparameterStatus(session->conn, "server_encoding");
    bool ascii = encoding && strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0;
    struct buffer *storable = &session->scratch[ERROR_TEXT];
    size_t most = session->table.error_characters;
    make_storable(storable, text, ascii, most > 0 ? most : ERROR_TEXT_MAX);
    errors->failed |= storable->failed;
    array_add(errors, storable->data, storable->len);
}

/* ---- Building ----------------------------------------------------------------------------- */

/* Held rows cannot move. A leased one can, by another's UPDATE or our own renewal; then a tid may
 * lead to another event of the claim, which does no harm if every event of it is delivered. */
static bool may_use_tids(const struct outbox_session *session,
                         const struct outbox_settle_request *settle)
{
    if (!session->table.by_tid)
        return false;
    if (!is_lease(session))
        return true;
    if (settle->count < settle->claim->count)
        return false;
    for (uint64_t i = 0; i < settle->count; i++)
        if (outbox_settlement_at(settle, i)->verdict != OUTBOX_SETTLE_DELIVERED)
            return false;
    return true;
}

static void begin_keys(const struct outbox_session *session, const struct work *work,
                       struct buffer *keys)
{
    Oid id = session->table.type[ROLE_EVENT_ID];
    enum type_oid type = TYPE_TEXT;
    if (work->by_tid)
        type = TYPE_TID;
    else if (id == TYPE_UUID || id == TYPE_BYTEA)
        type = (enum type_oid)id;
    array_begin(keys, type);
}

static void add_key(struct outbox_session *session, const struct work *work, int buffer,
                    size_t index)
{
    int column = session->table.field[work->by_tid ? FIELD_TID : FIELD_ID];
    int row = work->claim->placed[index].row;
    array_add(&session->scratch[buffer], PQgetvalue(work->claim->result, row, column),
              (size_t)PQgetlength(work->claim->result, row, column));
}

static void add_mixed(struct outbox_session *session, struct work *work,
                      const struct outbox_settlement *given)
{
    struct outbox_settlement settlement = held_instead(session, work->claim, given);
    bool retry = settlement.verdict == OUTBOX_SETTLE_RETRY;
    bool dead = given->verdict == OUTBOX_SETTLE_DEAD;
    bool charged = dead ? given->charge != 0 : retry;
    int64_t delay = retry && settlement.delay > 0 ? settlement.delay : 0;
    held_put(session, work->claim, &settlement, charged);
    if (!session->table.writes_failures) {
        work->untouched++;
        return;
    }
    add_key(session, work, MIXED_KEYS, (size_t)settlement.index);
    array_add_int32(&session->scratch[MIXED_VERDICTS], (int32_t)settlement.verdict);
    array_add_int64(&session->scratch[MIXED_DELAYS], delay < DELAY_MAX ? delay : DELAY_MAX);
    array_add_int32(&session->scratch[MIXED_CHARGES], charged);
    add_error(session, settlement.error);
    work->mixed++;
}

static void note_released(struct work *work, size_t index)
{
    struct position position = work->claim->placed[index].position;
    if (position_compare(position, work->released) < 0)
        work->released = position;
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
        add_key(session, work, DELIVERED_KEYS, index);
        work->delivered++;
        return OUTBOX_OK;
    case OUTBOX_SETTLE_RELEASE:
        note_released(work, index);
        /* A held row is pending still: without a reason to write it is only let go. */
        if (!is_lease(session) && (!settlement->error.data || !session->table.has[ROLE_LAST_ERROR]))
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
    begin_keys(session, work, &session->scratch[DELIVERED_KEYS]);
    begin_keys(session, work, &session->scratch[MIXED_KEYS]);
    array_begin(&session->scratch[MIXED_VERDICTS], TYPE_INT4);
    array_begin(&session->scratch[MIXED_DELAYS], TYPE_INT8);
    array_begin(&session->scratch[MIXED_CHARGES], TYPE_INT4);
    array_begin(&session->scratch[MIXED_ERRORS], TYPE_TEXT);
    for (uint64_t i = 0; i < work->settle->count; i++) {
        enum outbox_status status =
            add_settlement(session, work, outbox_settlement_at(work->settle, i), error);
        if (status != OUTBOX_OK)
            return status;
    }
    /* What a call leaves out of a held claim is let go with the rest. */
    if (!is_lease(session) && work->settle->count < work->claim->public.count)
        note_released(work, 0);
    bool failed = false;
    array_end(&session->scratch[DELIVERED_KEYS], work->delivered);
    for (int i = MIXED_KEYS; i <= MIXED_ERRORS; i++)
        array_end(&session->scratch[i], work->mixed);
    for (int i = DELIVERED_KEYS; i <= MIXED_ERRORS; i++)
        failed |= session->scratch[i].failed;
    return failed ? failure_of_memory(error) : OUTBOX_OK;
}

static struct parameter scratch(const struct outbox_session *session, int buffer)
{
    return (struct parameter){session->scratch[buffer].data, session->scratch[buffer].len};
}

static void queue(struct outbox_session *session, struct work *work)
{
    bool lease = is_lease(session);
    struct parameter token = {work->claim->token, work->claim->token_len};
    if (work->delivered > 0) {
        struct parameter parameters[] = {scratch(session, DELIVERED_KEYS), token};
        work->delivered_place = exchange_statement(
            session, lease && work->by_tid ? STATEMENT_DELIVERED_WHOLE : STATEMENT_DELIVERED,
            parameters, lease ? 2 : 1);
    }
    if (work->mixed > 0) {
        struct parameter parameters[] = {
            scratch(session, MIXED_KEYS),   scratch(session, MIXED_VERDICTS),
            scratch(session, MIXED_DELAYS), scratch(session, MIXED_CHARGES),
            scratch(session, MIXED_ERRORS), token};
        work->mixed_place = exchange_statement(session, STATEMENT_MIXED, parameters, lease ? 6 : 5);
    }
    if (!lease)
        work->commit_place = exchange_text(session, "COMMIT");
}

/* ---- After the answer --------------------------------------------------------------------- */

static uint64_t affected(struct outbox_session *session, size_t place)
{
    return strtoull(PQcmdTuples(exchange_result(session, place)), NULL, 10);
}

static void read_result(struct outbox_session *session, const struct work *work,
                        struct outbox_settle_result *result)
{
    uint64_t settled = work->untouched;
    if (work->delivered > 0)
        settled += affected(session, work->delivered_place);
    if (work->mixed > 0)
        settled += affected(session, work->mixed_place);
    result->settled = settled;
    /* A partitioned table may hold an id twice: then more rows changed than were asked for. */
    result->stale = work->settle->count > settled ? work->settle->count - settled : 0;
}

/* The transaction is committed. */
static void finish(struct outbox_session *session, const struct work *work)
{
    held_settled(session, work->settle, work->claim);
    if (session->held == work->claim)
        session->held = NULL;
    if (position_compare(work->released, POSITION_LAST) < 0)
        watermark_lower(&session->store->pending, work->released);
}

static void all_stale(const struct outbox_settle_request *settle,
                      struct outbox_settle_result *result)
{
    result->settled = 0;
    result->stale = settle->count;
}

static bool lost_hold(const struct outbox_session *session, const struct work *work)
{
    return !is_lease(session) && session->held != work->claim;
}

static enum outbox_status begin(struct outbox_session *session, struct work *work,
                                const struct outbox_settle_request *settle,
                                struct outbox_error *error)
{
    *work = (struct work){
        .settle = settle, .claim = (const struct claim *)settle->claim, .released = POSITION_LAST};
    if (lost_hold(session, work))
        return OUTBOX_OK;
    enum outbox_status status = table_ensure(session, error);
    if (status != OUTBOX_OK)
        return status;
    work->by_tid = may_use_tids(session, settle);
    return build(session, work, error);
}

/* After a settlement of leases by tid: rows that moved meanwhile are found by their ids. The
 * transaction before is committed, so a failure here makes them stale and the next call shows it.
 */
static void settle_moved(struct outbox_session *session, const struct outbox_settle_request *settle,
                         struct outbox_settle_result *result)
{
    struct work work = {
        .settle = settle, .claim = (const struct claim *)settle->claim, .released = POSITION_LAST};
    struct outbox_settle_result rest = {.size = sizeof(rest)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    enum outbox_status status = build(session, &work, &error);
    unsigned tries = 0;
    if (status == OUTBOX_OK) {
        do {
            exchange_start(session);
            queue(session, &work);
            status = exchange_run(session, "settle moved events of", &error);
        } while (status != OUTBOX_OK && exchange_again(session, tries++));
    }
    if (status != OUTBOX_OK) {
        outbox_log(session->store->host, OUTBOX_LOG_WARN, "%s", error.text);
        return;
    }
    read_result(session, &work, &rest);
    result->settled += rest.settled;
    result->stale -= rest.settled;
}

static bool some_moved(const struct outbox_session *session, const struct work *work,
                       const struct outbox_settle_result *result)
{
    return is_lease(session) && work->by_tid && result->stale > 0;
}

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
            all_stale(settle, result);
            return OUTBOX_OK;
        }
        exchange_start(session);
        queue(session, &work);
        status = exchange_run(session, "settle events of", error);
    } while (status != OUTBOX_OK && exchange_again(session, tries++));
    if (status != OUTBOX_OK)
        return status;
    read_result(session, &work, result);
    finish(session, &work);
    if (some_moved(session, &work, result))
        settle_moved(session, settle, result);
    return OUTBOX_OK;
}

static enum outbox_status one_after_the_other(struct outbox_session *session,
                                              const struct outbox_settle_request *settle,
                                              struct outbox_settle_result *result,
                                              const struct outbox_claim_request *request,
                                              struct outbox_claim **claim,
                                              struct outbox_error *error)
{
    enum outbox_status status = settle_apply(session, settle, result, error);
    if (status != OUTBOX_OK)
        return status;
    status = claim_take(session, request, claim, error);
    if (status == OUTBOX_OK || status == OUTBOX_UNAVAILABLE)
        return status;
    /* What is settled must be told. The next claim will fail as this one did, and say so. */
    struct claim *empty = claim_new(session);
    if (!empty)
        return failure_of_memory(error);
    *claim = &empty->public;
    return OUTBOX_OK;
}

static enum outbox_status lease_together(struct outbox_session *session, struct work *work,
                                         struct outbox_settle_result *result,
                                         struct claim_plan *plan, struct outbox_claim **claim,
                                         struct outbox_error *error)
{
    enum outbox_status status;
    unsigned tries = 0;
    do {
        exchange_start(session);
        queue(session, work);
        claim_queue(session, plan, work->released);
        status = exchange_run(session, "settle and claim events of", error);
        if (status != OUTBOX_OK)
            claim_failed(session, plan);
    } while (status != OUTBOX_OK && exchange_again(session, tries++));
    if (status != OUTBOX_OK)
        return status;
    read_result(session, work, result);
    status = claim_read(session, plan, claim, error);
    finish(session, work);
    if (status == OUTBOX_OK && some_moved(session, work, result))
        settle_moved(session, work->settle, result);
    return status;
}

/* COMMIT and BEGIN ride in the middle. If only the claim behind them fails, the settling stands. */
static enum outbox_status hold_together(struct outbox_session *session, struct work *work,
                                        struct outbox_settle_result *result,
                                        struct claim_plan *plan, struct outbox_claim **claim,
                                        struct outbox_error *error)
{
    exchange_start(session);
    queue(session, work);
    exchange_text(session, "BEGIN");
    claim_queue(session, plan, work->released);
    enum outbox_status status = exchange_run(session, "settle and claim events of", error);
    bool committed =
        session->exchange.count > work->commit_place &&
        PQresultStatus(exchange_result(session, work->commit_place)) == PGRES_COMMAND_OK;
    if (status != OUTBOX_OK)
        claim_failed(session, plan);
    if (status != OUTBOX_OK && (!committed || status == OUTBOX_UNAVAILABLE))
        return status;
    read_result(session, work, result);
    finish(session, work);
    if (status == OUTBOX_OK)
        return claim_read(session, plan, claim, error);
    struct claim *empty = claim_new(session);
    if (!empty)
        return failure_of_memory(error);
    *claim = &empty->public;
    return OUTBOX_OK;
}

/* Nothing but what came late was found: it need not wait for the next claim. What is settled
 * stands, so a failure here is left for that one to meet. */
static void take_late(struct outbox_session *session, const struct claim_plan *plan,
                      struct outbox_claim **claim)
{
    struct outbox_claim *late = NULL;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    if (!plan->found_late || (*claim)->count > 0 ||
        claim_take(session, plan->request, &late, &error) != OUTBOX_OK)
        return;
    claim_return(session, *claim);
    *claim = late;
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
    if (is_lease(session)) {
        status = lease_together(session, &work, result, &plan, claim, error);
        if (status == OUTBOX_OK)
            take_late(session, &plan, claim);
        return status;
    }
    if (lost_hold(session, &work))
        return one_after_the_other(session, settle, result, request, claim, error);
    status = hold_together(session, &work, result, &plan, claim, error);
    if (status == OUTBOX_OK)
        take_late(session, &plan, claim);
    if (status == OUTBOX_OK || session->lost || !session->exchange.retriable)
        return status;
    return one_after_the_other(session, settle, result, request, claim, error);
}
