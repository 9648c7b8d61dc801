/*
 * test_units.c - durations and sizes, read and written
 * SPDX-License-Identifier: MIT
 */
#include "configuration.h"
#include "units.h"

#include <string.h>

struct known {
    const char *text;
    int64_t value;
    const char *written; /* NULL: as `text` */
};

#define SECOND INT64_C(1000000000)

static const struct known durations[] = {
    {"0s", 0, NULL},
    {"7ns", 7, NULL},
    {"40us", 40000, NULL},
    {"5ms", 5000000, NULL},
    {"1500ms", 1500000000, NULL},
    {"1s", SECOND, NULL},
    {"90s", 90 * SECOND, NULL},
    {"60s", 60 * SECOND, "1m"},
    {"3m", 180 * SECOND, NULL},
    {"24h", 86400 * SECOND, NULL},
    {"1d", 86400 * SECOND, "24h"},
    {"48h", 172800 * SECOND, "2d"},
    {"7d", 604800 * SECOND, NULL},
    {"000004s", 4 * SECOND, "4s"},
    {"106751d", INT64_C(106751) * 86400 * SECOND, NULL},
    {"9223372036854775807ns", INT64_MAX, NULL},
};

static const struct known sizes[] = {
    {"0", 0, "0B"},
    {"65536", 65536, "64KiB"},
    {"1000", 1000, "1000B"},
    {"64B", 64, NULL},
    {"512KiB", 524288, NULL},
    {"1MiB", 1048576, NULL},
    {"3GiB", INT64_C(3221225472), NULL},
    {"2TiB", INT64_C(2199023255552), NULL},
    {"1024KiB", 1048576, "1MiB"},
    {"9223372036854775807", INT64_MAX, "9223372036854775807B"},
};

static const char *const no_durations[] = {
    "",
    "5",
    "ms",
    "-5ms",
    "+5ms",
    "1.5s",
    " 5ms",
    "5ms ",
    "5 ms",
    "5MS",
    "5min",
    "1h30m",
    "0x5s",
    "5msx",
    "5w",
    "∞s",
    "106752d",
    "9223372036854775808ns",
    "99999999999999999999s",
};

static const char *const no_sizes[] = {
    "",      "MiB", "-1", "1.5MiB", "1MB",        "1mib",
    "1 MiB", "1M",  "1k", "1KB",    "8388608TiB", "9223372036854775808",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void a_duration_is_read_and_written_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(durations); i++) {
        int64_t value = -1;
        char text[UNITS_TEXT];
        assert_true(duration_parse(durations[i].text, &value));
        assert_int_equal(value, durations[i].value);
        assert_string_equal(duration_format(value, text),
                            durations[i].written ? durations[i].written : durations[i].text);
    }
}

static void a_size_is_read_and_written_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        int64_t value = -1;
        char text[UNITS_TEXT];
        assert_true(size_parse(sizes[i].text, &value));
        assert_int_equal(value, sizes[i].value);
        assert_string_equal(size_format(value, text),
                            sizes[i].written ? sizes[i].written : sizes[i].text);
    }
}

static void what_is_no_duration_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(no_durations); i++) {
        int64_t value = -7;
        if (duration_parse(no_durations[i], &value))
            fail_msg("\"%s\" was read as a duration", no_durations[i]);
        assert_int_equal(value, -7);
    }
}

static void what_is_no_size_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(no_sizes); i++) {
        int64_t value = -7;
        if (size_parse(no_sizes[i], &value))
            fail_msg("\"%s\" was read as a size", no_sizes[i]);
        assert_int_equal(value, -7);
    }
}

static void what_is_written_reads_back_as_the_same_value(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        char text[UNITS_TEXT];
        int64_t back = -1;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        int64_t value = (int64_t)(random >> (1 + random % 60));
        value -= i % 3 ? 0 : value % 1000000000;
        assert_true(duration_parse(duration_format(value, text), &back));
        assert_int_equal(back, value);
        assert_true(size_parse(size_format(value, text), &back));
        assert_int_equal(back, value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_is_read_and_written_exactly),
        cmocka_unit_test(a_size_is_read_and_written_exactly),
        cmocka_unit_test(what_is_no_duration_is_refused_and_changes_nothing),
        cmocka_unit_test(what_is_no_size_is_refused_and_changes_nothing),
        cmocka_unit_test(what_is_written_reads_back_as_the_same_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
