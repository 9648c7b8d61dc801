/*
 * test_listen.c - addresses to listen at, as text and as sockets
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/listen.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void an_address_is_a_host_and_a_port(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *port;
    } right[] = {
        {"127.0.0.1:9464", "127.0.0.1", "9464"},
        {"localhost:0", "localhost", "0"},
        {"relay-1.example.org:65535", "relay-1.example.org", "65535"},
        {":80", "", "80"},
        {"[::1]:9464", "::1", "9464"},
        {"[::]:0", "::", "0"},
        {"[fe80::1%eth0]:9464", "fe80::1%eth0", "9464"},
        {"[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", "1"},
    };
    for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
        struct listen_address address;
        assert_true(listen_parse(right[i].text, &address));
        assert_string_equal(address.host, right[i].host);
        assert_string_equal(address.port, right[i].port);
    }
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        ":",
        "9464",
        "127.0.0.1",
        "127.0.0.1:",
        "localhost:http",
        ":65536",
        ":-1",
        ": 80",
        ":80 ",
        ":000080",
        "*:80",
        "::1:9464",
        "[]:80",
        "[:80",
        "[::1]",
        "[::1]80",
        "[::1]:",
        "[::1:80",
        "[localhost]:80",
        "[::1%]:80",
        "[%eth0]:80",
        "http://x:80",
        "a b:80",
        "user@h:80",
        "x/y:80",
        "[",
        "]:80",
        "[127.0.0.1]:80",
        "\xff:80",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct listen_address address;
        if (listen_parse(wrong[i], &address))
            fail_msg("\"%s\" was taken", wrong[i]);
    }
}

static void a_very_long_host_is_refused(void **state)
{
    (void)state;
    char text[LISTEN_HOST + 8];
    struct listen_address address;
    memset(text, 'a', sizeof(text));
    memcpy(text + LISTEN_HOST - 1, ":80", 4);
    assert_true(listen_parse(text, &address));
    text[LISTEN_HOST - 1] = 'a';
    memcpy(text + LISTEN_HOST, ":80", 4);
    assert_false(listen_parse(text, &address));
}

static void port_0_is_a_free_one_that_can_be_told(void **state)
{
    (void)state;
    struct listen_address address;
    char error[256], text[LISTEN_TEXT];
    assert_true(listen_parse("127.0.0.1:0", &address));
    int fd = listen_open(&address, error, sizeof(error));
    assert_true(fd >= 0);
    assert_memory_equal(listen_format(fd, text), "127.0.0.1:", 10);
    assert_in_range(strtol(text + 10, NULL, 10), 1, 65535);

    /* Somebody has it now. */
    assert_true(listen_parse(text, &address));
    assert_int_equal(listen_open(&address, error, sizeof(error)), -1);
    assert_string_equal(error, "Address already in use");
    (void)close(fd);
    fd = listen_open(&address, error, sizeof(error));
    assert_true(fd >= 0);
    (void)close(fd);
}

static void a_name_is_looked_up_and_every_address_can_be_had(void **state)
{
    (void)state;
    struct listen_address address;
    char error[256], text[LISTEN_TEXT];
    assert_true(listen_parse("localhost:0", &address));
    int fd = listen_open(&address, error, sizeof(error));
    assert_true(fd >= 0);
    assert_memory_equal(listen_format(fd, text), "127.0.0.1:", 10);
    (void)close(fd);

    assert_true(listen_parse(":0", &address));
    fd = listen_open(&address, error, sizeof(error));
    assert_true(fd >= 0);
    (void)listen_format(fd, text);
    assert_true(strncmp(text, "[::]:", 5) == 0 || strncmp(text, "0.0.0.0:", 8) == 0);
    (void)close(fd);

    assert_true(listen_parse("192.0.2.1:0", &address));
    assert_int_equal(listen_open(&address, error, sizeof(error)), -1);
    assert_string_equal(error, "Cannot assign requested address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_a_host_and_a_port),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(a_very_long_host_is_refused),
        cmocka_unit_test(port_0_is_a_free_one_that_can_be_told),
        cmocka_unit_test(a_name_is_looked_up_and_every_address_can_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
