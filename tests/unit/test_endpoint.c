/*
 * test_endpoint.c - a collector's address, as text
 * SPDX-License-Identifier: MIT
 */
#include "telemetry/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void only_addresses_of_http_are_some(void **state)
{
    (void)state;
    assert_true(endpoint_is_address("http://h"));
    assert_true(endpoint_is_address("HTTPS://u:p@[::1]:4318/x?key=1#y"));
    assert_false(endpoint_is_address(""));
    assert_false(endpoint_is_address("h:4318"));
    assert_false(endpoint_is_address("ftp://h"));
    assert_false(endpoint_is_address("http://h/a b"));
}

static void a_path_goes_behind_no_query(void **state)
{
    (void)state;
    assert_true(endpoint_is_base("http://h/base/"));
    assert_false(endpoint_is_base("http://h/?key=1"));
    assert_false(endpoint_is_base("http://h#x"));
}

static void an_address_is_shown_without_what_may_be_secret(void **state)
{
    char shown[ENDPOINT_TEXT];

    (void)state;
    assert_string_equal(endpoint_shown("http://h:1/v1/logs", shown), "http://h:1/v1/logs");
    assert_string_equal(endpoint_shown("https://u:p@h/x?key=1", shown), "https://h/x");
    assert_string_equal(endpoint_shown("https://u:p@q@h?key=1", shown), "https://h");
    assert_string_equal(endpoint_shown("http://h/a@b#c", shown), "http://h/a@b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_addresses_of_http_are_some),
        cmocka_unit_test(a_path_goes_behind_no_query),
        cmocka_unit_test(an_address_is_shown_without_what_may_be_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
