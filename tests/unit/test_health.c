/*
 * test_health.c - whether a pipeline is ready and alive, from the signs that its threads leave
 * SPDX-License-Identifier: MIT
 */
#include "clock.h"
#include "health.h"
#include "observe.h"
#include "pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LONG (60 * SECOND)

static struct config config = {.stall_after = 8 * SECOND};
static struct pipeline_config settings = {.name = "orders"};

/* Opened and at work, as far as anybody can see. */
static int set_up(void **state)
{
    static struct pipeline pipeline;

    pipeline = (struct pipeline){.config = &config,
                                 .settings = &settings,
                                 .tunables = {.publish_timeout = 30 * SECOND},
                                 .opened = true};
    gate_init(&pipeline.gate);
    vitals_init(&pipeline.vitals);
    pipeline.vitals.progressed_at = pipeline.claimed_at = clock_now() - LONG;
    pthread_mutex_init(&pipeline.tunables_lock, NULL);
    pthread_mutex_init(&pipeline.workers_lock, NULL);
    pthread_mutex_init(&pipeline.lookout.lock, NULL);
    pipeline.lookout.pipeline = &pipeline;
    *state = &pipeline;
    return 0;
}

static int tear_down(void **state)
{
    struct pipeline *pipeline = *state;

    pthread_mutex_destroy(&pipeline->lookout.lock);
    pthread_mutex_destroy(&pipeline->workers_lock);
    pthread_mutex_destroy(&pipeline->tunables_lock);
    vitals_clear(&pipeline->vitals);
    gate_clear(&pipeline->gate);
    return 0;
}

/* The only cause; "" if it is ready. */
static const char *cause(struct pipeline *pipeline)
{
    static struct view_cause causes[VIEW_CAUSES];
    size_t count = health_causes(pipeline, causes);

    assert_true(count < 2);
    return count == 0 ? "" : causes[0].name;
}

static void open_drivers_are_not_enough_to_be_ready(void **state)
{
    struct pipeline *pipeline = *state;

    pipeline->claimed_at = 0;
    assert_string_equal(cause(pipeline), "starting");
    vitals_trouble(&pipeline->vitals, TROUBLE_STORE, "no route to host");
    assert_string_equal(cause(pipeline), "store");
    vitals_well(&pipeline->vitals, TROUBLE_STORE);
    pipeline->claimed_at = clock_now();
    assert_string_equal(cause(pipeline), "");
}

static void a_count_without_an_answer_is_the_store(void **state)
{
    struct pipeline *pipeline = *state;

    assert_string_equal(cause(pipeline), "");
    pipeline->lookout.asked_at = clock_now() - 3 * SECOND;
    assert_string_equal(cause(pipeline), "");
    pipeline->lookout.asked_at = clock_now() - 5 * SECOND;
    assert_string_equal(cause(pipeline), "store");
    pipeline->claimed_at = clock_now() - SECOND; /* but a worker's call is answered */
    assert_string_equal(cause(pipeline), "");
}

static void a_table_that_cannot_be_counted_is_no_cause_while_claims_are_answered(void **state)
{
    struct pipeline *pipeline = *state;

    vitals_trouble(&pipeline->vitals, TROUBLE_LOOKING, "statement timeout");
    assert_string_equal(cause(pipeline), "store");
    pipeline->claimed_at = clock_now() - SECOND;
    assert_string_equal(cause(pipeline), "");
    vitals_trouble(&pipeline->vitals, TROUBLE_STORE, "the connection was closed");
    assert_string_equal(cause(pipeline), "store");
}

static void a_ping_that_does_not_return_shows(void **state)
{
    struct pipeline *pipeline = *state;
    char stuck[VIEW_REASON];

    pipeline->lookout.pinging_since = clock_now() - 3 * SECOND;
    assert_string_equal(cause(pipeline), "");
    pipeline->lookout.pinging_since = clock_now() - 5 * SECOND;
    assert_string_equal(cause(pipeline), "publisher");
    assert_true(health_is_alive(pipeline, stuck));
    pipeline->lookout.pinging_since = clock_now() - 91 * SECOND;
    assert_false(health_is_alive(pipeline, stuck));
    assert_non_null(strstr(stuck, "orders: the lookout"));
}

static void a_stall_takes_a_count_after_the_last_movement(void **state)
{
    struct pipeline *pipeline = *state;
    int64_t now = clock_now();

    pipeline->lookout.stuck_since = now - 9 * SECOND;
    pipeline->lookout.counted_at = now - 10 * SECOND;
    assert_string_equal(cause(pipeline), "");
    pipeline->vitals.in_flight = 1; /* no count is needed to know of these */
    assert_string_equal(cause(pipeline), "stalled");
    pipeline->vitals.in_flight = 0;
    pipeline->lookout.counted_at = now - 5 * SECOND;
    assert_string_equal(cause(pipeline), "stalled");
}

static void a_pipeline_at_work_is_not_stalled_while_counting_takes_long(void **state)
{
    struct pipeline *pipeline = *state;
    int64_t now = clock_now();

    pipeline->lookout.counted_at = pipeline->lookout.stuck_since = now - 20 * SECOND;
    pipeline->lookout.asked_at = now - 20 * SECOND;
    pipeline->claimed_at = now - SECOND;
    pipeline->vitals.in_flight = 1;
    pipeline->vitals.progressed_at = now - SECOND;
    assert_string_equal(cause(pipeline), "");
    pipeline->vitals.progressed_at = now - 9 * SECOND;
    assert_string_equal(cause(pipeline), "stalled");
}

/* Settles a batch of two, which then have these outcomes; whether that is progress. */
static bool progresses(struct pipeline *pipeline, uint8_t one, uint8_t other)
{
    const struct tunables tunables = {.max_attempts = 5, .max_delay = SECOND};
    struct outbox_event events[2] = {0};
    struct batch_event outcomes[2] = {{.outcome = one}, {.outcome = other}};
    struct outbox_claim claim = {sizeof(claim), events, sizeof(events[0]), 2};
    struct batch batch = {.claim = &claim, .count = 2, .events = outcomes};
    struct outbox_settlement settlements[2];
    struct verdict_counts counts;
    struct random random = {1};
    int64_t before = clock_now() - LONG;

    pipeline->vitals.progressed_at = before;
    pipeline->vitals.in_flight = 2;
    uint64_t count = verdicts_gather(&batch, &tunables, &random, settlements, &counts);
    const struct settled_batch settled = {
        .batch = &batch, .settlements = settlements, .count = count, .counts = &counts};
    observe_settled(pipeline, &settled);
    return pipeline->vitals.progressed_at != before;
}

static void what_the_publisher_did_not_answer_is_no_progress(void **state)
{
    struct pipeline *pipeline = *state;

    assert_true(metrics_init(&pipeline->metrics));
    assert_false(progresses(pipeline, OUTCOME_TIMED_OUT, OUTBOX_UNKNOWN));
    assert_false(progresses(pipeline, OUTBOX_AWAY, OUTCOME_TIMED_OUT));
    assert_false(progresses(pipeline, OUTCOME_SHUTDOWN, OUTBOX_AWAY));
    assert_true(progresses(pipeline, OUTCOME_TIMED_OUT, OUTBOX_ACKED));
    assert_true(progresses(pipeline, OUTCOME_TIMED_OUT, OUTBOX_RETRY));
    assert_true(progresses(pipeline, OUTCOME_DROPPED, OUTCOME_DROPPED));
    metrics_clear(&pipeline->metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(open_drivers_are_not_enough_to_be_ready, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_count_without_an_answer_is_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_table_that_cannot_be_counted_is_no_cause_while_claims_are_answered, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(a_ping_that_does_not_return_shows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stall_takes_a_count_after_the_last_movement, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_pipeline_at_work_is_not_stalled_while_counting_takes_long,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_publisher_did_not_answer_is_no_progress, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
