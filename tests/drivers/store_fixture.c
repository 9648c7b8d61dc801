/*
 * store_fixture.c - what tests of the store contract share: an open store, ways to look at it
 * SPDX-License-Identifier: MIT
 */
#include "store_fixture.h"

#include <inttypes.h>
#include <stdlib.h>

static void ignore_line(void *context, uint32_t level, const char *text)
{
    (void)context;
    (void)level;
    (void)text;
}

static void apply_schema(struct fixture *fixture)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->schema(fixture->store, fixture->sessions[0], OUTBOX_SCHEMA_APPLY,
                                     ignore_line, NULL, &error),
                &error);
}

static struct fixture *fixture_new(void **state, uint32_t mode, bool delete_delivered)
{
    const struct store_contract *contract = *state;
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    *state = fixture;
    fixture->contract = contract;
    fixture->ops = contract->plugin->store;
    contract->wipe(contract->context);
    fixture->store = contract_store_open(contract->plugin, contract->values, contract->value_count,
                                         mode, delete_delivered);
    for (int i = 0; i < 2; i++)
        fixture_session_reopen(fixture, i);
    return fixture;
}

int fixture_setup_lease(void **state)
{
    apply_schema(fixture_new(state, OUTBOX_MODE_LEASE, false));
    return 0;
}

int fixture_setup_lease_delete(void **state)
{
    apply_schema(fixture_new(state, OUTBOX_MODE_LEASE, true));
    return 0;
}

int fixture_setup_hold(void **state)
{
    apply_schema(fixture_new(state, OUTBOX_MODE_HOLD, false));
    return 0;
}

int fixture_setup_no_table(void **state)
{
    const struct store_contract *contract = *state;
    bool lease = contract->plugin->capabilities & OUTBOX_STORE_LEASE;
    (void)fixture_new(state, lease ? OUTBOX_MODE_LEASE : OUTBOX_MODE_HOLD, false);
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 2; i++)
        fixture_session_close(fixture, i);
    if (fixture->store)
        fixture->ops->close(fixture->store);
    free(fixture);
    return 0;
}

void fixture_session_reopen(struct fixture *fixture, int session)
{
    fixture->sessions[session] = contract_session_open(fixture->contract->plugin, fixture->store);
}

void fixture_session_close(struct fixture *fixture, int session)
{
    if (!fixture->sessions[session])
        return;
    for (int i = 0; i < OPEN_CLAIMS_MAX; i++) {
        if (fixture->open[i].claim && fixture->open[i].session == session)
            fixture_claim_close(fixture, session, fixture->open[i].claim);
    }
    fixture->ops->session_close(fixture->sessions[session]);
    fixture->sessions[session] = NULL;
}

/* ---- Events ------------------------------------------------------------------------------- */

void fixture_id(char id[EVENT_ID_SIZE], int number)
{
    (void)snprintf(id, EVENT_ID_SIZE, "00000000-0000-7000-8000-%012x", (unsigned int)number);
}

void fixture_enqueue(struct fixture *fixture, int count)
{
    struct outbox_new_event *events = calloc((size_t)count, sizeof(*events));
    char(*ids)[EVENT_ID_SIZE] = calloc((size_t)count, sizeof(*ids));
    assert_non_null(events);
    assert_non_null(ids);
    for (int i = 0; i < count; i++) {
        fixture_id(ids[i], fixture->enqueued++);
        events[i].id = outbox_slice_of(ids[i]);
        events[i].type = outbox_slice_of("order.placed");
        events[i].payload = outbox_slice_of("{\"n\": 1}");
    }
    const struct outbox_enqueue_request request = {sizeof(request), events, sizeof(*events),
                                                   (uint64_t)count};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    enum outbox_status status = fixture->ops->enqueue(fixture->sessions[0], &request, &error);
    free(events);
    free(ids);
    contract_ok(status, &error);
}

void fixture_insert_at(struct fixture *fixture, const char *id, int64_t seconds_from_now)
{
    char instant[128], payload[64];
    fixture->contract->instant(instant, sizeof(instant), seconds_from_now);
    fixture->contract->bytes(payload, sizeof(payload), "late", 4);
    fixture_execute(fixture,
                    "INSERT INTO %s (event_id, event_type, payload, available_at) "
                    "VALUES ('%s', 'order.placed', %s, %s)",
                    fixture->contract->table, id, payload, instant);
}

/* ---- Claims ------------------------------------------------------------------------------- */

void fixture_keep(struct fixture *fixture, int session, struct outbox_claim *claim)
{
    for (int i = 0; i < OPEN_CLAIMS_MAX; i++) {
        if (!fixture->open[i].claim) {
            fixture->open[i] = (struct open_claim){session, claim};
            return;
        }
    }
    fail_msg("a test has more than %d claims open", OPEN_CLAIMS_MAX);
}

static struct outbox_claim *claim(struct fixture *fixture, int session, uint64_t max_events,
                                  uint64_t max_payload, const char *token)
{
    const struct outbox_claim_request request = {
        .size = sizeof(request),
        .max_events = max_events,
        .max_payload = max_payload,
        .token = outbox_slice_of(token),
        .flags = OUTBOX_CLAIM_FROM_START,
    };
    struct outbox_claim *made = NULL;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->claim(fixture->sessions[session], &request, &made, &error), &error);
    assert_non_null(made);
    fixture_keep(fixture, session, made);
    return made;
}

struct outbox_claim *fixture_claim_as(struct fixture *fixture, int session, uint64_t max_events,
                                      const char *token)
{
    return claim(fixture, session, max_events, 16 << 20, token);
}

struct outbox_claim *fixture_claim_payload(struct fixture *fixture, int session,
                                           uint64_t max_events, uint64_t max_payload)
{
    char token[64];
    (void)snprintf(token, sizeof(token), OWNER "%d", ++fixture->claimed);
    return claim(fixture, session, max_events, max_payload, token);
}

struct outbox_claim *fixture_claim(struct fixture *fixture, int session, uint64_t max_events)
{
    return fixture_claim_payload(fixture, session, max_events, 16 << 20);
}

void fixture_claim_close(struct fixture *fixture, int session, struct outbox_claim *claim_to_close)
{
    for (int i = 0; i < OPEN_CLAIMS_MAX; i++) {
        if (fixture->open[i].claim == claim_to_close)
            fixture->open[i].claim = NULL;
    }
    fixture->ops->claim_close(fixture->sessions[session], claim_to_close);
}

struct outbox_settle_result fixture_settle(struct fixture *fixture, int session,
                                           struct outbox_claim *claim_to_settle, uint64_t first,
                                           uint64_t count, enum outbox_verdict verdict)
{
    struct outbox_settlement *settlements = calloc(count, sizeof(*settlements));
    assert_non_null(settlements);
    for (uint64_t i = 0; i < count; i++) {
        settlements[i].index = first + i;
        settlements[i].verdict = verdict;
        if (verdict == OUTBOX_SETTLE_RETRY || verdict == OUTBOX_SETTLE_DEAD)
            settlements[i].error = outbox_slice_of("the broker said no");
    }
    const struct outbox_settle_request request = {sizeof(request), claim_to_settle, settlements,
                                                  sizeof(*settlements), count};
    struct outbox_settle_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    enum outbox_status status =
        fixture->ops->settle(fixture->sessions[session], &request, &result, &error);
    free(settlements);
    contract_ok(status, &error);
    return result;
}

struct outbox_reap_result fixture_reap(struct fixture *fixture, int session, int64_t max_attempts,
                                       int64_t base_delay)
{
    const struct outbox_reap_request request = {
        .size = sizeof(request),
        .lease = 60 * INT64_C(1000000),
        .foreign_lease = 600 * INT64_C(1000000),
        .owner_prefix = outbox_slice_of(OWNER),
        .max_attempts = max_attempts,
        .base_delay = base_delay,
        .max_delay = 3600 * INT64_C(1000000),
        .max_events = 1000,
    };
    struct outbox_reap_result result = {.size = sizeof(result)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->reap(fixture->sessions[session], &request, &result, &error), &error);
    return result;
}

void fixture_age_leases(struct fixture *fixture, int64_t seconds)
{
    char instant[128];
    fixture->contract->instant(instant, sizeof(instant), -seconds);
    fixture_execute(fixture, "UPDATE %s SET locked_at = %s WHERE status = 'DELIVERING'",
                    fixture->contract->table, instant);
}

/* ---- Looking ------------------------------------------------------------------------------ */

void fixture_execute(struct fixture *fixture, const char *format, ...)
{
    char sql[2048];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(sql, sizeof(sql), format, arguments);
    va_end(arguments);
    assert_in_range(len, 1, sizeof(sql) - 1);
    fixture->contract->execute(fixture->contract->context, sql);
}

int64_t fixture_count(struct fixture *fixture, const char *where)
{
    char sql[1024], answer[64];
    (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE %s", fixture->contract->table,
                   where);
    fixture->contract->query(fixture->contract->context, sql, answer, sizeof(answer));
    return strtoll(answer, NULL, 10);
}

void fixture_value(struct fixture *fixture, const char *id, const char *expression, char *answer,
                   size_t answer_size)
{
    char sql[1024];
    (void)snprintf(sql, sizeof(sql), "SELECT %s FROM %s WHERE event_id = '%s'", expression,
                   fixture->contract->table, id);
    fixture->contract->query(fixture->contract->context, sql, answer, answer_size);
}

void fixture_expect(struct fixture *fixture, int number, const char *expression,
                    const char *expected)
{
    char id[EVENT_ID_SIZE], answer[256];
    fixture_id(id, number);
    fixture_value(fixture, id, expression, answer, sizeof(answer));
    assert_string_equal(answer, expected);
}

void fixture_check_invariants(struct fixture *fixture)
{
    assert_int_equal(fixture_count(fixture, "(status = 'DELIVERING') <> (locked_at IS NOT NULL)"),
                     0);
    assert_int_equal(fixture_count(fixture, "status = 'DELIVERING' AND locked_by IS NULL"), 0);
    assert_int_equal(fixture_count(fixture, "(status = 'DELIVERED') <> (delivered_at IS NOT NULL)"),
                     0);
}

bool fixture_same(struct outbox_slice slice, const char *text)
{
    return slice.data && slice.len == strlen(text) && memcmp(slice.data, text, slice.len) == 0;
}
