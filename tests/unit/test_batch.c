/*
 * test_batch.c - what a driver may and may not do with a batch
 * SPDX-License-Identifier: MIT
 */
#include "batch.h"
#include "clock.h"
#include "host.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define EVENTS 4

struct fixture {
    struct host host;
    struct gate gate;
    struct bell bell, gate_bell;
    struct outbox_event events[EVENTS];
    struct outbox_claim claim;
    struct batch *batch;
};

/* Every event to one topic, without a key. */
static const struct template_piece topic_piece = {.text = {"topic", 5}};
static const struct template_piece key_piece = {.is_field = true, .text = {"", 0}};
static const struct route raw_route = {
    .pipeline = "test", .otherwise = {.topic = {&topic_piece, 1}, .key = {&key_piece, 1}}};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    host_init(&fixture->host, "test", "fake");
    gate_init(&fixture->gate);
    assert_true(bell_init(&fixture->bell));
    assert_true(bell_init(&fixture->gate_bell));
    for (size_t i = 0; i < EVENTS; i++) {
        fixture->events[i].id = outbox_slice_of("id");
        fixture->events[i].type = outbox_slice_of("type");
        fixture->events[i].payload = outbox_slice_of("payload");
        fixture->events[i].payload_size = 7;
    }
    fixture->claim = (struct outbox_claim){.size = sizeof(fixture->claim),
                                           .events = fixture->events,
                                           .event_size = sizeof(fixture->events[0]),
                                           .count = EVENTS};
    fixture->batch = batch_new(&fixture->gate, &fixture->gate_bell, &fixture->bell);
    assert_non_null(fixture->batch);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    batch_free(&fixture->batch);
    bell_clear(&fixture->bell);
    bell_clear(&fixture->gate_bell);
    gate_clear(&fixture->gate);
    host_clear(&fixture->host);
    free(fixture);
    return 0;
}

static void complete(struct fixture *fixture, uint64_t first, uint64_t count, uint32_t outcome,
                     const char *reason)
{
    struct outbox_result result = {
        .size = sizeof(result), .outcome = outcome, .reason = outbox_slice_of(reason)};
    batch_complete(&fixture->host.table, &fixture->batch->view, first, count, &result);
}

static void fill(struct fixture *fixture)
{
    assert_true(batch_fill(fixture->batch, &fixture->claim, &raw_route, 1024, NEVER, NULL));
}

static void a_batch_is_returned_when_its_last_message_is_completed(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    assert_int_equal(fixture->batch->view.count, EVENTS);
    complete(fixture, 1, 3, OUTBOX_ACKED, NULL);
    assert_false(batch_is_returned(fixture->batch));
    complete(fixture, 0, 1, OUTBOX_RETRY, "broken");
    assert_true(batch_is_returned(fixture->batch));
    assert_int_equal(batch_outcome(fixture->batch, 0), OUTBOX_RETRY);
    assert_memory_equal(fixture->batch->events[0].reason.data, "broken", 6);
    assert_int_equal(batch_outcome(fixture->batch, 3), OUTBOX_ACKED);
}

static void a_second_completion_changes_nothing_and_is_not_counted(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    complete(fixture, 0, 1, OUTBOX_REJECTED, "first");
    complete(fixture, 0, 4, OUTBOX_ACKED, NULL);
    assert_true(batch_is_returned(fixture->batch));
    assert_int_equal(batch_outcome(fixture->batch, 0), OUTBOX_REJECTED);
    assert_int_equal(batch_outcome(fixture->batch, 1), OUTBOX_ACKED);
}

static void a_completion_outside_the_batch_is_ignored(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    complete(fixture, 3, 2, OUTBOX_ACKED, NULL);
    complete(fixture, UINT64_MAX, 2, OUTBOX_ACKED, NULL);
    complete(fixture, 0, 0, OUTBOX_ACKED, NULL);
    for (uint64_t i = 0; i < EVENTS; i++)
        assert_int_equal(batch_outcome(fixture->batch, i), OUTCOME_OPEN);
}

static void an_outcome_that_does_not_exist_is_never_a_success(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    complete(fixture, 0, 1, 77, NULL);
    complete(fixture, 1, 1, 0, NULL);
    complete(fixture, 2, 1, 256 + OUTBOX_ACKED, NULL);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(batch_outcome(fixture->batch, i), OUTBOX_UNKNOWN);
}

static void a_late_answer_does_not_undo_what_the_relay_decided(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    complete(fixture, 0, 1, OUTBOX_ACKED, NULL);
    batch_decide_open(fixture->batch, OUTCOME_SHUTDOWN);
    assert_true(batch_is_decided(fixture->batch));
    assert_false(batch_is_returned(fixture->batch));
    complete(fixture, 1, 3, OUTBOX_ACKED, NULL);
    assert_true(batch_is_returned(fixture->batch));
    assert_int_equal(batch_outcome(fixture->batch, 0), OUTBOX_ACKED);
    assert_int_equal(batch_outcome(fixture->batch, 1), OUTCOME_SHUTDOWN);
}

static void an_absent_broker_shuts_the_gate_at_once(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    assert_true(gate_is_open(&fixture->gate));
    complete(fixture, 2, 1, OUTBOX_AWAY, "disk full");
    assert_false(gate_is_open(&fixture->gate));
    assert_string_equal(fixture->gate.reason, "disk full");
    assert_true(gate_next_probe(&fixture->gate) < NEVER);
    gate_probed(&fixture->gate, true);
    assert_true(gate_is_open(&fixture->gate));
}

static void a_broker_that_was_away_is_unproven_until_it_answers(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    assert_true(gate_is_proven(&fixture->gate));
    complete(fixture, 0, 1, OUTBOX_AWAY, "disk full");
    gate_probed(&fixture->gate, true);
    assert_false(gate_is_proven(&fixture->gate));
    assert_true(gate_acked(&fixture->gate));
    assert_true(gate_is_proven(&fixture->gate));
    assert_false(gate_acked(&fixture->gate));
    assert_true(gate_blame(&fixture->gate, "no route"));
    assert_false(gate_blame(&fixture->gate, "no route"));
}

static void what_cannot_be_sent_never_reaches_the_driver(void **state)
{
    struct fixture *fixture = *state;
    fixture->events[1].payload = (struct outbox_slice){NULL, 0};
    fixture->events[1].payload_size = 4096;
    fixture->events[2].headers = outbox_slice_of("[1,2]");
    fill(fixture);
    assert_int_equal(fixture->batch->view.count, 2);
    assert_ptr_equal(outbox_batch_at(&fixture->batch->view, 1)->event, &fixture->events[3]);
    assert_int_equal(batch_outcome(fixture->batch, 1), OUTCOME_UNSENDABLE);
    assert_int_equal(batch_outcome(fixture->batch, 2), OUTCOME_UNSENDABLE);
    assert_non_null(strstr(fixture->batch->events[1].reason.data, "4096"));
    assert_non_null(strstr(fixture->batch->events[2].reason.data, "not a JSON object"));
    complete(fixture, 0, 2, OUTBOX_ACKED, NULL);
    assert_true(batch_is_decided(fixture->batch));
    assert_int_equal(batch_outcome(fixture->batch, 3), OUTBOX_ACKED);
}

static void a_refused_batch_is_away_as_a_whole(void **state)
{
    struct fixture *fixture = *state;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    fill(fixture);
    assert_int_equal(outbox_fail(&error, OUTBOX_UNAVAILABLE, "", "no route"), OUTBOX_UNAVAILABLE);
    batch_refuse(fixture->batch, &error);
    assert_true(batch_is_returned(fixture->batch));
    for (uint64_t i = 0; i < EVENTS; i++)
        assert_int_equal(batch_outcome(fixture->batch, i), OUTBOX_AWAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_batch_is_returned_when_its_last_message_is_completed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_completion_changes_nothing_and_is_not_counted,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_completion_outside_the_batch_is_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(an_outcome_that_does_not_exist_is_never_a_success, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_late_answer_does_not_undo_what_the_relay_decided, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_absent_broker_shuts_the_gate_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broker_that_was_away_is_unproven_until_it_answers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_sent_never_reaches_the_driver, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_refused_batch_is_away_as_a_whole, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
