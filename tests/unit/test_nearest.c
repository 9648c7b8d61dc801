/*
 * test_nearest.c - what a misspelt word was meant to be
 * SPDX-License-Identifier: MIT
 */
#include "configuration.h"
#include "nearest.h"

#include <string.h>

static const char *nearest_of(const char *wanted)
{
    static const char *const words[] = {"batch_size", "workers",  "lease",
                                        "poll_min",   "poll_max", "id"};
    struct nearest nearest;
    nearest_init(&nearest, wanted);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        nearest_offer(&nearest, words[i]);
    return nearest.best ? nearest.best : "(none)";
}

static void every_single_slip_costs_one(void **state)
{
    (void)state;
    assert_int_equal(nearest_distance("lease", "lease"), 0);
    assert_int_equal(nearest_distance("lease", "Lease"), 0);
    assert_int_equal(nearest_distance("lese", "lease"), 1);
    assert_int_equal(nearest_distance("leease", "lease"), 1);
    assert_int_equal(nearest_distance("leasr", "lease"), 1);
    assert_int_equal(nearest_distance("laese", "lease"), 1);
    assert_int_equal(nearest_distance("", "lease"), 5);
    assert_int_equal(nearest_distance("lease", ""), 5);
    assert_int_equal(nearest_distance("kitten", "sitting"), 3);
}

static void a_slip_finds_the_word_that_was_meant(void **state)
{
    (void)state;
    assert_string_equal(nearest_of("batchsize"), "batch_size");
    assert_string_equal(nearest_of("BatchSize"), "batch_size");
    assert_string_equal(nearest_of("worker"), "workers");
    assert_string_equal(nearest_of("pol_max"), "poll_max");
    assert_string_equal(nearest_of("di"), "id");
}

static void another_word_is_not_taken_for_a_slip(void **state)
{
    (void)state;
    assert_string_equal(nearest_of("timeout"), "(none)");
    assert_string_equal(nearest_of("x"), "(none)");
    assert_string_equal(nearest_of(""), "(none)");
}

static void a_word_of_any_length_is_compared(void **state)
{
    (void)state;
    char word[5000];
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_string_equal(nearest_of(word), "(none)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_single_slip_costs_one),
        cmocka_unit_test(a_slip_finds_the_word_that_was_meant),
        cmocka_unit_test(another_word_is_not_taken_for_a_slip),
        cmocka_unit_test(a_word_of_any_length_is_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
