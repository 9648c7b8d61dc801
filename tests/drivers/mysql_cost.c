/*
 * mysql_cost.c - what the driver's statements read of a large table
 * SPDX-License-Identifier: MIT
 */
#include "mysql_fixture.h"

#include <stdlib.h>

/* Rows that the server has read since its start, along an index or a table. */
static int64_t rows_read(MYSQL *client)
{
    int64_t sum = 0;
    if (mysql_query(client, "SHOW GLOBAL STATUS WHERE Variable_name IN"
                            " ('Handler_read_next', 'Handler_read_rnd_next')") != 0)
        fail_msg("%s", mysql_error(client));
    MYSQL_RES *result = mysql_store_result(client);
    assert_non_null(result);
    for (MYSQL_ROW row; (row = mysql_fetch_row(result));)
        sum += strtoll(row[1], NULL, 10);
    mysql_free_result(result);
    return sum;
}

static void count_events(void *context, const struct outbox_holder *holder)
{
    uint64_t *events = context;
    *events += holder->events;
}

static void looking_who_holds_events_does_not_read_history(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    uint64_t events = 0;
    uint32_t partial = 1;
    fixture_enqueue(fixture, 1);
    for (int i = 0; i < 15; i++) /* 32768 */
        fixture_execute(fixture,
                        "INSERT INTO openoutbox_events (event_id, event_type, payload, status,"
                        " delivered_at) SELECT UNHEX(LEFT(SHA2(CONCAT(HEX(event_id), '+%d'), 256), "
                        "32)), 't', 'p',"
                        " 'DELIVERED', NOW(6) FROM openoutbox_events",
                        i);
    fixture_enqueue(fixture, 100);
    assert_int_equal(fixture_claim(fixture, 0, 100)->count, 100);
    MYSQL *aside = connect_aside(fixture);
    int64_t before = rows_read(aside);
    contract_ok(
        fixture->ops->holders(fixture->sessions[0], count_events, &events, &partial, &error),
        &error);
    assert_in_range(rows_read(aside) - before, 100, 5000);
    assert_int_equal(events, 100);
    assert_int_equal(partial, 0);
    mysql_close(aside);
}

const struct CMUnitTest mysql_cost_tests[] = {
    CONTRACT_TEST(looking_who_holds_events_does_not_read_history, fixture_setup_lease),
};
const size_t mysql_cost_test_count = sizeof(mysql_cost_tests) / sizeof(mysql_cost_tests[0]);
