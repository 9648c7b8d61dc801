/*
 * test_states.c - what a status column holds, read from the configuration and written as SQL
 * SPDX-License-Identifier: MIT
 */
#include "states.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static enum outbox_status parse(struct states *states, struct outbox_error *error,
                                const char *const (*words)[2], uint64_t count)
{
    struct outbox_pair pairs[8];
    for (uint64_t i = 0; i < count; i++)
        pairs[i] = (struct outbox_pair){outbox_slice_of(words[i][0]), outbox_slice_of(words[i][1])};
    struct outbox_setting map = {.name = "states",
                                 .type = OUTBOX_OPTION_MAP,
                                 .is_set = 1,
                                 .pairs = pairs,
                                 .pair_count = count};
    return states_parse(states, &map, error);
}

static void assert_literal(const struct states *states, enum state state, enum state_kind kind,
                           const char *expected)
{
    struct buffer sql = {0};
    states_literal(states, state, kind, &sql);
    char *text = buffer_take(&sql);
    assert_string_equal(text, expected);
    free(text);
}

static void what_is_named_is_there_and_the_rest_is_not(void **state)
{
    (void)state;
    static const char *const words[][2] = {{"dead", "gave up"}, {"pending", "new"}};
    struct states states;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_int_equal(parse(&states, &error, words, 2), OUTBOX_OK);
    assert_true(states_have(&states, STATE_PENDING));
    assert_true(states_have(&states, STATE_DEAD));
    assert_false(states_have(&states, STATE_DELIVERED));
    assert_false(states_have(&states, STATE_DELIVERING));
    assert_literal(&states, STATE_DEAD, STATE_AS_TEXT, "'gave up'");
}

static void literals_follow_the_type_of_the_column(void **state)
{
    (void)state;
    enum state misfit = STATE_COUNT;
    assert_true(states_fit(&states_velmie, STATE_AS_INTEGER, &misfit));
    assert_literal(&states_velmie, STATE_DEAD, STATE_AS_INTEGER, "-1");
    assert_literal(&states_velmie, STATE_DEAD, STATE_AS_TEXT, "'-1'");
    assert_literal(&states_openoutbox, STATE_DELIVERED, STATE_AS_TEXT, "'DELIVERED'");
    assert_true(states_fit(&states_openoutbox, STATE_AS_TEXT, &misfit));
    assert_false(states_fit(&states_openoutbox, STATE_AS_INTEGER, &misfit));
    assert_int_equal(misfit, STATE_PENDING);
}

static void only_whole_numbers_stand_in_an_integer_column(void **state)
{
    (void)state;
    static const char *const bad[] = {"1.0", "01",  "+1", "-0", " 1",
                                      "1 ",  "0x1", "-",  "1e", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *const words[][2] = {{"pending", "0"}, {"delivered", bad[i]}};
        struct states states;
        struct outbox_error error = OUTBOX_ERROR_INIT;
        enum state misfit = STATE_COUNT;
        assert_int_equal(parse(&states, &error, words, 2), OUTBOX_OK);
        assert_false(states_fit(&states, STATE_AS_INTEGER, &misfit));
        assert_int_equal(misfit, STATE_DELIVERED);
    }
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *words[2][2];
        const char *said;
    } cases[] = {
        {{{"pending", "0"}, {"sent", "1"}}, "states: \"sent\" is no state"},
        {{{"dead", "0"}, {"delivered", "1"}}, "states.pending: is missing"},
        {{{"pending", "0"}, {"delivered", ""}}, "states.delivered: has 0 bytes"},
        {{{"pending", "0"}, {"dead", "0"}}, "states: pending and dead are both \"0\""},
        {{{"pending", "it's"}, {"dead", "0"}}, "states.pending: holds a quote"},
        {{{"pending", "a\\"}, {"dead", "0"}}, "states.pending: holds a quote, a backslash"},
        {{{"pending", "a\n"}, {"dead", "0"}}, "or a control character"},
        {{{"pending", "0123456789012345678901234567890123456789012345678901234567890123"},
          {"dead", "0"}},
         "states.pending: has 64 bytes, 1 to 63 are allowed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct states states;
        struct outbox_error error = OUTBOX_ERROR_INIT;
        assert_int_equal(parse(&states, &error, cases[i].words, 2), OUTBOX_INVALID);
        assert_non_null(strstr(error.text, cases[i].said));
    }
}

static void states_are_called_as_everywhere(void **state)
{
    (void)state;
    for (enum state s = STATE_PENDING; s < STATE_COUNT; s++)
        assert_string_equal(state_name(s), states_openoutbox.text[s]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_named_is_there_and_the_rest_is_not),
        cmocka_unit_test(literals_follow_the_type_of_the_column),
        cmocka_unit_test(only_whole_numbers_stand_in_an_integer_column),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(states_are_called_as_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
