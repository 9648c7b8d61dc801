/*
 * contract_schema.c - what making the table, filling it and counting it promise
 * SPDX-License-Identifier: MIT
 */
#include "store_fixture.h"

/* Lines that a driver has emitted, one after another. */
struct lines {
    char text[16384];
    size_t len;
    int errors;
};

static void keep_line(void *context, uint32_t level, const char *text)
{
    struct lines *lines = context;
    int written =
        snprintf(lines->text + lines->len, sizeof(lines->text) - lines->len, "%s\n", text);
    assert_true(written >= 0 && lines->len + (size_t)written < sizeof(lines->text));
    lines->len += (size_t)written;
    if (level == OUTBOX_LOG_ERROR)
        lines->errors++;
}

static enum outbox_status schema(struct fixture *fixture, uint32_t action, struct lines *lines)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    *lines = (struct lines){.len = 0};
    return fixture->ops->schema(fixture->store,
                                action == OUTBOX_SCHEMA_PRINT ? NULL : fixture->sessions[0], action,
                                keep_line, lines, &error);
}

static void initialising_twice_is_harmless(void **state)
{
    struct fixture *fixture = *state;
    struct lines lines;
    assert_int_equal(schema(fixture, OUTBOX_SCHEMA_APPLY, &lines), OUTBOX_OK);
    fixture_enqueue(fixture, 3);
    assert_int_equal(schema(fixture, OUTBOX_SCHEMA_APPLY, &lines), OUTBOX_OK);
    assert_int_equal(fixture_count(fixture, "status = 'PENDING'"), 3);
    assert_int_equal(schema(fixture, OUTBOX_SCHEMA_CHECK, &lines), OUTBOX_OK);
    assert_int_equal(lines.errors, 0);
}

static void a_missing_table_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct lines lines;
    assert_int_equal(schema(fixture, OUTBOX_SCHEMA_CHECK, &lines), OUTBOX_SCHEMA);
    assert_true(lines.errors > 0);
}

static void claiming_without_a_table_fails_and_works_once_it_is_made(void **state)
{
    struct fixture *fixture = *state;
    const struct outbox_claim_request request = {
        .size = sizeof(request),
        .max_events = 5,
        .max_payload = 1000,
        .token = outbox_slice_of(OWNER "1"),
    };
    struct outbox_claim *claim = NULL;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(fixture->ops->claim(fixture->sessions[0], &request, &claim, &error),
                     OUTBOX_SCHEMA);
    assert_true(error.text[0] != '\0');
    struct lines lines;
    assert_int_equal(schema(fixture, OUTBOX_SCHEMA_APPLY, &lines), OUTBOX_OK);
    fixture_enqueue(fixture, 1);
    fixture_session_close(fixture, 1);
    fixture_session_reopen(fixture, 1);
    assert_int_equal(fixture_claim(fixture, 1, 5)->count, 1);
}

static void a_missing_column_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct lines lines;
    assert_int_equal(schema(fixture, OUTBOX_SCHEMA_APPLY, &lines), OUTBOX_OK);
    fixture_execute(fixture, "ALTER TABLE %s DROP COLUMN locked_by", fixture->contract->table);
    assert_int_equal(schema(fixture, OUTBOX_SCHEMA_CHECK, &lines), OUTBOX_SCHEMA);
    assert_true(lines.errors > 0);
    assert_non_null(strstr(lines.text, "locked_by"));
}

static void printing_the_schema_needs_no_session(void **state)
{
    struct fixture *fixture = *state;
    struct lines lines;
    assert_int_equal(schema(fixture, OUTBOX_SCHEMA_PRINT, &lines), OUTBOX_OK);
    assert_non_null(strstr(lines.text, "CREATE TABLE"));
    assert_non_null(strstr(lines.text, "event_id"));
}

static void a_bad_event_is_named_and_nothing_is_inserted(void **state)
{
    struct fixture *fixture = *state;
    char ids[3][EVENT_ID_SIZE];
    struct outbox_new_event events[3];
    struct outbox_error error = OUTBOX_ERROR_INIT;
    const struct outbox_enqueue_request request = {sizeof(request), events, sizeof(events[0]), 3};
    for (int i = 0; i < 3; i++) {
        fixture_id(ids[i], i == 2 ? 0xabc1 : 0xabc0 + i);
        events[i] = (struct outbox_new_event){.id = outbox_slice_of(ids[i]),
                                              .type = outbox_slice_of("t"),
                                              .payload = outbox_slice_of("p")};
    }
    assert_int_equal(fixture->ops->enqueue(fixture->sessions[0], &request, &error), OUTBOX_INVALID);
    assert_non_null(strstr(error.text, "2"));
    assert_non_null(strstr(error.text, ids[2]));
    assert_int_equal(fixture_count(fixture, "1 = 1"), 0);

    fixture_id(ids[2], 0xabc2);
    events[1].headers = outbox_slice_of("[\"no object\"]");
    assert_int_equal(fixture->ops->enqueue(fixture->sessions[0], &request, &error), OUTBOX_INVALID);
    assert_non_null(strstr(error.text, ids[1]));
    assert_int_equal(fixture_count(fixture, "1 = 1"), 0);

    events[1].headers = (struct outbox_slice){NULL, 0};
    contract_ok(fixture->ops->enqueue(fixture->sessions[0], &request, &error), &error);
    assert_int_equal(fixture_count(fixture, "status = 'PENDING'"), 3);
}

static struct outbox_store_stats read_stats(struct fixture *fixture)
{
    struct outbox_store_stats stats = {.size = sizeof(stats)};
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->stats(fixture->sessions[1], &stats, &error), &error);
    return stats;
}

static void expect_count(int64_t count, bool estimated, int64_t expected)
{
    if (count != -1 && !estimated)
        assert_int_equal(count, expected);
}

static void stats_count_by_state(void **state)
{
    struct fixture *fixture = *state;
    char id[EVENT_ID_SIZE];
    assert_int_equal(read_stats(fixture).oldest_age, -1);
    fixture_enqueue(fixture, 9);
    struct outbox_claim *claim = fixture_claim(fixture, 0, 6);
    assert_int_equal(fixture_settle(fixture, 0, claim, 0, 3, OUTBOX_SETTLE_DELIVERED).settled, 3);
    assert_int_equal(fixture_settle(fixture, 0, claim, 3, 1, OUTBOX_SETTLE_DEAD).settled, 1);
    fixture_id(id, 50);
    fixture_insert_at(fixture, id, 3600);
    fixture_id(id, 51);
    fixture_insert_at(fixture, id, -3600);
    struct outbox_store_stats stats = read_stats(fixture);
    expect_count(stats.pending, stats.estimated & OUTBOX_ESTIMATED_PENDING, 5);
    expect_count(stats.scheduled, false, 1);
    expect_count(stats.delivering, false, 2);
    expect_count(stats.delivered, stats.estimated & OUTBOX_ESTIMATED_DELIVERED, 3);
    expect_count(stats.dead, stats.estimated & OUTBOX_ESTIMATED_DEAD, 1);
    assert_true(stats.oldest_age >= INT64_C(3600000000));
    assert_true(stats.oldest_age < INT64_C(7200000000));
}

static void ping_reaches_the_database(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->ping(fixture->sessions[0], &error), &error);
}

const struct CMUnitTest contract_schema_tests[] = {
    CONTRACT_TEST(initialising_twice_is_harmless, fixture_setup_no_table),
    CONTRACT_TEST(a_missing_table_is_named, fixture_setup_no_table),
    CONTRACT_TEST(claiming_without_a_table_fails_and_works_once_it_is_made, fixture_setup_no_table),
    CONTRACT_TEST(a_missing_column_is_named, fixture_setup_no_table),
    CONTRACT_TEST(printing_the_schema_needs_no_session, fixture_setup_no_table),
    CONTRACT_TEST(a_bad_event_is_named_and_nothing_is_inserted, fixture_setup_lease),
    CONTRACT_TEST(stats_count_by_state, fixture_setup_lease),
    CONTRACT_TEST(ping_reaches_the_database, fixture_setup_lease),
};
const size_t contract_schema_test_count =
    sizeof(contract_schema_tests) / sizeof(contract_schema_tests[0]);
