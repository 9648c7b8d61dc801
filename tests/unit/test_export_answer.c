/*
 * test_export_answer.c - what a collector's answer means: taken, in part, later, never
 * SPDX-License-Identifier: MIT
 */
#include "telemetry/export_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define JSON "application/json"
#define PROTOBUF "application/x-protobuf"

static char text[ANSWER_TEXT];
static uint64_t rejected;

static enum export_verdict judge(long status, const char *type, const char *body, size_t length)
{
    const struct export_answer answer = {status, "no route", type, body, length};
    return answer_judge(&answer, 10, &rejected, text);
}

static enum export_verdict judge_text(long status, const char *type, const char *body)
{
    return judge(status, type, body, strlen(body));
}

static void only_what_may_work_later_is_tried_again(void **state)
{
    static const long again[] = {429, 502, 503, 504};
    static const long never[] = {301, 307, 400, 401, 403, 404, 408, 413, 415, 500, 501, 505};

    (void)state;
    for (size_t i = 0; i < sizeof(again) / sizeof(*again); i++)
        assert_int_equal(judge(again[i], NULL, NULL, 0), EXPORT_RETRY);
    for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
        assert_int_equal(judge(never[i], NULL, NULL, 0), EXPORT_REFUSED);
    assert_int_equal(judge(200, NULL, NULL, 0), EXPORT_TAKEN);
    assert_int_equal(judge(202, NULL, NULL, 0), EXPORT_TAKEN);
    assert_int_equal(judge(0, NULL, NULL, 0), EXPORT_RETRY);
    assert_string_equal(text, "no route");
}

static void what_was_rejected_is_read_in_either_form(void **state)
{
    /* partial_success { rejected: 3, error_message: "old" } */
    static const char partial[] = "\x0a\x07\x08\x03\x12\x03old";

    (void)state;
    assert_int_equal(judge(200, PROTOBUF, partial, sizeof(partial) - 1), EXPORT_TAKEN);
    assert_int_equal(rejected, 3);
    assert_string_equal(text, "old");
    static const char *const bodies[] = {
        "{\"partialSuccess\": {\"rejectedSpans\": \"3\", \"errorMessage\": \"old\"}}",
        "{\"partialSuccess\": {\"rejectedDataPoints\": 3, \"errorMessage\": \"old\"}}",
        "{\"partialSuccess\": {\"rejectedLogRecords\": \"3\", \"errorMessage\": \"old\"}}",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        assert_int_equal(judge_text(200, "Application/JSON; charset=utf-8", bodies[i]),
                         EXPORT_TAKEN);
        assert_int_equal(rejected, 3);
        assert_string_equal(text, "old");
    }
}

static void no_more_is_rejected_than_was_sent(void **state)
{
    (void)state;
    (void)judge_text(200, JSON, "{\"partialSuccess\": {\"rejectedSpans\": \"99\"}}");
    assert_int_equal(rejected, 10);
    (void)judge_text(200, JSON,
                     "{\"partialSuccess\": {\"rejectedSpans\": \"9223372036854775807\", "
                     "\"rejectedLogRecords\": \"9223372036854775807\"}}");
    assert_int_equal(rejected, 10);
    (void)judge_text(200, JSON, "{\"partialSuccess\": {\"rejectedSpans\": \"-1\"}}");
    assert_int_equal(rejected, 0);
    (void)judge_text(200, JSON, "{\"partialSuccess\": {\"rejectedSpans\": \"9e9\"}}");
    assert_int_equal(rejected, 0);
}

static void a_refusal_has_the_collectors_words(void **state)
{
    static const char failure[] = "\x08\x03\x12\x04nope";

    (void)state;
    assert_int_equal(judge(400, PROTOBUF, failure, sizeof(failure) - 1), EXPORT_REFUSED);
    assert_string_equal(text, "nope");
    (void)judge_text(400, JSON, "{\"code\": 3, \"message\": \"nope\"}");
    assert_string_equal(text, "nope");
}

static void what_is_no_answer_says_nothing(void **state)
{
    static const char *const types[] = {JSON, PROTOBUF, "text/html", NULL};
    static const char *const bodies[] = {"",
                                         "{",
                                         "[1]",
                                         "null",
                                         "\"text\"",
                                         "{\"partialSuccess\": 3}",
                                         "{\"message\": {}}",
                                         "\x0a\xff\xff\xff\xff\x0f",
                                         "\x12\x7f",
                                         "<html>"};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        for (size_t j = 0; j < sizeof(bodies) / sizeof(*bodies); j++)
            for (long status = 200; status <= 400; status += 200) {
                assert_int_equal(judge_text(status, types[i], bodies[j]),
                                 status == 200 ? EXPORT_TAKEN : EXPORT_REFUSED);
                assert_int_equal(rejected, 0);
                assert_string_equal(text, "");
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_may_work_later_is_tried_again),
        cmocka_unit_test(what_was_rejected_is_read_in_either_form),
        cmocka_unit_test(no_more_is_rejected_than_was_sent),
        cmocka_unit_test(a_refusal_has_the_collectors_words),
        cmocka_unit_test(what_is_no_answer_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
