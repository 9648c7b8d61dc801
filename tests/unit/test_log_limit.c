/*
 * test_log_limit.c - how many lines of one kind are written in a while
 * SPDX-License-Identifier: MIT
 */
#include "log_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct log_limit limit;
static uint64_t left_out;
static struct log_kind ended;

static int begin(void **state)
{
    (void)state;
    limit = (struct log_limit){0};
    return 0;
}

static enum log_passage pass(uint32_t level, const char *message, const char *pipeline, int64_t now)
{
    const struct log_field fields[] = {FIELD("pipeline", pipeline), FIELD_NUMBER("n", now)};
    return log_limit_pass(&limit, level, message, fields, 2, now, &left_out, &ended);
}

static void fill(const char *message, int64_t now)
{
    for (int i = 0; i < LOG_LIMIT; i++)
        assert_int_equal(pass(OUTBOX_LOG_WARN, message, "p", now), LOG_PASSES);
}

static void so_many_pass_in_a_window_and_no_more(void **state)
{
    (void)state;
    fill("m", 1 * SECOND);
    assert_int_equal(pass(OUTBOX_LOG_WARN, "m", "p", 2 * SECOND), LOG_IS_SUPPRESSED);
    assert_int_equal(pass(OUTBOX_LOG_WARN, "m", "p", 10 * SECOND), LOG_IS_SUPPRESSED);
    assert_int_equal(limit.suppressed, 2);
}

static void the_next_line_that_passes_tells_of_those_before(void **state)
{
    (void)state;
    fill("m", 1 * SECOND);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pass(OUTBOX_LOG_WARN, "m", "p", 2 * SECOND), LOG_IS_SUPPRESSED);
    assert_int_equal(pass(OUTBOX_LOG_WARN, "m", "p", 11 * SECOND), LOG_PASSES);
    assert_int_equal(left_out, 3);
    assert_int_equal(pass(OUTBOX_LOG_WARN, "m", "p", 11 * SECOND), LOG_PASSES);
    assert_int_equal(left_out, 0);
}

static void level_message_and_pipeline_make_a_kind(void **state)
{
    (void)state;
    fill("m", 1 * SECOND);
    assert_int_equal(pass(OUTBOX_LOG_ERROR, "m", "p", 1 * SECOND), LOG_PASSES);
    assert_int_equal(pass(OUTBOX_LOG_WARN, "n", "p", 1 * SECOND), LOG_PASSES);
    assert_int_equal(pass(OUTBOX_LOG_WARN, "m", "q", 1 * SECOND), LOG_PASSES);
    assert_int_equal(pass(OUTBOX_LOG_WARN, "mp", "", 1 * SECOND), LOG_PASSES);
    assert_int_equal(pass(OUTBOX_LOG_WARN, "m", "p", 1 * SECOND), LOG_IS_SUPPRESSED);
}

static void what_was_left_out_is_taken_when_its_window_is_over(void **state)
{
    (void)state;
    fill("m", 1 * SECOND);
    assert_int_equal(pass(OUTBOX_LOG_WARN, "m", "p", 2 * SECOND), LOG_IS_SUPPRESSED);
    assert_false(log_limit_take(&limit, 10 * SECOND, false, &ended));
    assert_true(log_limit_take(&limit, 11 * SECOND, false, &ended));
    assert_string_equal(ended.message, "m");
    assert_string_equal(ended.pipeline, "p");
    assert_int_equal(ended.suppressed, 1);
    assert_false(log_limit_take(&limit, 11 * SECOND, true, &ended));
}

static void the_oldest_kind_makes_way_and_is_told_of(void **state)
{
    char message[32];

    (void)state;
    fill("first", 1 * SECOND);
    assert_int_equal(pass(OUTBOX_LOG_WARN, "first", "p", 1 * SECOND), LOG_IS_SUPPRESSED);
    for (int i = 1; i < LOG_KINDS; i++) {
        (void)snprintf(message, sizeof(message), "m%d", i);
        assert_int_equal(pass(OUTBOX_LOG_WARN, message, "p", 2 * SECOND), LOG_PASSES);
    }
    assert_int_equal(pass(OUTBOX_LOG_WARN, "one more", "p", 3 * SECOND), LOG_ENDS_OTHER);
    assert_string_equal(ended.message, "first");
    assert_int_equal(ended.suppressed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(so_many_pass_in_a_window_and_no_more, begin),
        cmocka_unit_test_setup(the_next_line_that_passes_tells_of_those_before, begin),
        cmocka_unit_test_setup(level_message_and_pipeline_make_a_kind, begin),
        cmocka_unit_test_setup(what_was_left_out_is_taken_when_its_window_is_over, begin),
        cmocka_unit_test_setup(the_oldest_kind_makes_way_and_is_told_of, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
