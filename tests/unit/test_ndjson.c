/*
 * test_ndjson.c - lines, the events that they describe, and what is refused
 * SPDX-License-Identifier: MIT
 */
#include "ndjson.h"
#include "reader.h"
#include "timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct ndjson_batch batch;
    struct outbox_error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture || !ndjson_batch_init(&fixture->batch, 4))
        return -1;
    fixture->error.size = sizeof(fixture->error);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    ndjson_batch_clear(&fixture->batch);
    free(fixture);
    return 0;
}

/* Hands over a copy that ends where the line does, so that reading past it is found out, and is
 * gone afterwards, so that keeping a pointer into it is, too. */
static bool add_bytes(struct fixture *fixture, const char *line, size_t length)
{
    char *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, line, length);
    bool added = ndjson_add(&fixture->batch, copy, length, &fixture->error);
    memset(copy, '#', length);
    free(copy);
    return added;
}

static const struct outbox_new_event *add(struct fixture *fixture, const char *line)
{
    if (!add_bytes(fixture, line, strlen(line)))
        fail_msg("refused %s: %s", line, fixture->error.text);
    return &fixture->batch.events[fixture->batch.count - 1];
}

static void refuse(struct fixture *fixture, const char *line, const char *because)
{
    size_t count = fixture->batch.count;
    if (add_bytes(fixture, line, strlen(line)))
        fail_msg("took %s", line);
    if (!strstr(fixture->error.text, because))
        fail_msg("%s: \"%s\" does not say \"%s\"", line, fixture->error.text, because);
    assert_int_equal(fixture->batch.count, count);
}

static void assert_slice(struct outbox_slice slice, const char *bytes, size_t length)
{
    assert_non_null(slice.data);
    assert_int_equal(slice.len, length);
    assert_memory_equal(slice.data, bytes, length);
}

static void assert_text(struct outbox_slice slice, const char *text)
{
    assert_slice(slice, text, strlen(text));
}

/* ---- What is taken ------------------------------------------------------------------------ */

static void every_key_reaches_the_event(void **state)
{
    const struct outbox_new_event *event =
        add(*state, "{\"type\":\"t\",\"payload\":\"p\",\"id\":\"i\",\"key\":\"k\","
                    "\"ordering_key\":\"o\",\"aggregate_type\":\"at\",\"aggregate_id\":\"ai\","
                    "\"headers\":{\"h\":1},\"available_at\":\"1970-01-01T00:00:01Z\"}");
    assert_text(event->type, "t");
    assert_text(event->payload, "p");
    assert_text(event->id, "i");
    assert_text(event->partition_key, "k");
    assert_text(event->ordering_key, "o");
    assert_text(event->aggregate_type, "at");
    assert_text(event->aggregate_id, "ai");
    assert_text(event->headers, "{\"h\":1}");
    assert_int_equal(event->available_at, 1000000);
}

static void what_is_left_out_or_null_is_absent(void **state)
{
    const struct outbox_new_event *event =
        add(*state, "{\"type\":\"t\",\"payload\":\"\",\"key\":null,\"headers\":null,"
                    "\"available_at\":null,\"payload_base64\":null}");
    assert_text(event->payload, "");
    assert_null(event->id.data);
    assert_null(event->partition_key.data);
    assert_null(event->ordering_key.data);
    assert_null(event->headers.data);
    assert_int_equal(event->available_at, 0);
}

static void a_text_payload_keeps_escapes_and_nuls(void **state)
{
    const struct outbox_new_event *event =
        add(*state, "{\"type\":\"t\",\"payload\":\"a\\u0000\\n\\u20ac\\ud83d\\ude00\"}");
    assert_slice(event->payload, "a\0\n\xe2\x82\xac\xf0\x9f\x98\x80", 10);
}

static void a_json_payload_is_kept_byte_for_byte(void **state)
{
    static const char *const values[] = {
        "{ \"n\" : 1.0 , \"big\":123456789012345678901234567890, \"e\": 1E2 }",
        "[1, [2, {\"}\": \"]\"}], \"a\\\"b\\\\\"]",
        "\"text, with } and \\\" inside\"",
        "\"\\\\\"",
        "-0.10",
        "true",
        "null",
        "{}",
        "[]",
    };
    static const char *const frames[] = {
        "{\"type\":\"t\",\"payload_json\":%s}",
        "{\"payload_json\":%s,\"type\":\"t\"}",
        "{\"headers\":{\"payload_json\":\"{,\\\\\"} , \"payload_json\" :\t%s ,\"type\":\"t\"}",
        "{\"ty\\u0070e\":\"t\",\"payload\\u005fjson\":%s}",
    };
    struct fixture *fixture = *state;
    char line[512];

    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        for (size_t j = 0; j < sizeof(frames) / sizeof(*frames); j++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            (void)snprintf(line, sizeof(line), frames[j], values[i]);
#pragma GCC diagnostic pop
            assert_text(add(fixture, line)->payload, values[i]);
            ndjson_batch_reset(&fixture->batch);
        }
}

static void base64_payloads_are_decoded(void **state)
{
    static const struct {
        const char *text, *bytes;
        size_t length;
    } known[] = {
        {"", "", 0},
        {"Zg==", "f", 1},
        {"Zm8=", "fo", 2},
        {"Zm9v", "foo", 3},
        {"Zm9vYg==", "foob", 4},
        {"AP8=", "\0\xff", 2},
        {"+/+/", "\xfb\xff\xbf", 3},
    };
    struct fixture *fixture = *state;
    char line[128];

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        (void)snprintf(line, sizeof(line), "{\"type\":\"t\",\"payload_base64\":\"%s\"}",
                       known[i].text);
        assert_slice(add(fixture, line)->payload, known[i].bytes, known[i].length);
        ndjson_batch_reset(&fixture->batch);
    }
}

static void events_of_a_batch_stand_side_by_side(void **state)
{
    struct fixture *fixture = *state;
    (void)add(fixture, "{\"type\":\"a\",\"payload\":\"1\"}");
    refuse(fixture, "{\"type\":\"b\"}", "payload is missing");
    (void)add(fixture, "{\"type\":\"c\",\"payload\":\"3\"}");
    assert_text(fixture->batch.events[0].payload, "1");
    assert_text(fixture->batch.events[1].type, "c");
    assert_int_equal(fixture->batch.bytes, 52);
}

/* ---- What is refused ---------------------------------------------------------------------- */

static void broken_lines_are_refused_with_the_reason(void **state)
{
    refuse(*state, "", "no JSON object");
    refuse(*state, "nonsense", "no JSON object");
    refuse(*state, "{\"type\":\"t\",\"payload\":\"p\"", "no JSON object");
    refuse(*state, "{\"type\":\"t\",\"payload\":\"p\"} x", "no JSON object");
    refuse(*state, "{\"type\":\"t\",\"type\":\"u\",\"payload\":\"p\"}", "duplicate");
    refuse(*state, "{\"type\":\"t\",\"payload\":\"\xff\"}", "no JSON object");
    refuse(*state, "[1]", "an array; it must be an object");
}

static void wrong_members_are_refused_by_name(void **state)
{
    refuse(*state, "{\"payload\":\"p\"}", "'type' is missing");
    refuse(*state, "{\"type\":\"\",\"payload\":\"p\"}", "'type' is missing or empty");
    refuse(*state, "{\"type\":\"t\"}", "payload is missing");
    refuse(*state, "{\"type\":\"t\",\"payload\":null}", "payload is missing");
    refuse(*state, "{\"type\":\"t\",\"payload\":{}}", "'payload' is an object");
    refuse(*state, "{\"type\":\"t\",\"payload\":\"p\",\"key\":7}", "'key' is a number");
    refuse(*state, "{\"type\":\"t\",\"payload\":\"p\",\"headers\":[]}", "'headers' is an array");
    refuse(*state, "{\"type\":\"t\",\"payload\":\"p\",\"payload_json\":1}", "both given");
    refuse(*state, "{\"type\":\"t\",\"payload\":\"p\",\"available_at\":\"soon\"}",
           "not an instant");
    refuse(*state, "{\"type\":\"a\\u0000b\",\"payload\":\"p\"}", "NUL");
    refuse(*state, "{\"type\":\"t\",\"payload\":\"p\",\"ordring_key\":\"x\"}",
           "did you mean 'ordering_key'");
    refuse(*state, "{\"type\":\"t\",\"payload\":\"p\",\"zzzzzzzz\":\"x\"}", "known are type");
}

static void base64_that_is_not_is_refused(void **state)
{
    refuse(*state, "{\"type\":\"t\",\"payload_base64\":\"Zg\"}", "no base64");
    refuse(*state, "{\"type\":\"t\",\"payload_base64\":\"Zh==\"}", "no base64");
    refuse(*state, "{\"type\":\"t\",\"payload_base64\":\"Z===\"}", "no base64");
    refuse(*state, "{\"type\":\"t\",\"payload_base64\":\"====\"}", "no base64");
    refuse(*state, "{\"type\":\"t\",\"payload_base64\":\"Zm9v\\nZg==\"}", "character 5");
    refuse(*state, "{\"type\":\"t\",\"payload_base64\":\"-_-_\"}", "character 1");
}

/* ---- Instants ----------------------------------------------------------------------------- */

static void instants_are_read_to_the_microsecond(void **state)
{
    static const struct {
        const char *text;
        int64_t microseconds;
    } known[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00.000001z", 1},
        {"2000-02-29T12:00:00+00:00", INT64_C(951825600000000)},
        {"2026-01-31 23:30:00.25-01:30", INT64_C(1769907600250000)},
        {"1970-01-01T01:00:00.9999999+01:00", 999999},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
    };
    int64_t value;

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (!timestamp_parse(known[i].text, &value))
            fail_msg("refused %s", known[i].text);
        assert_int_equal(value, known[i].microseconds);
    }
}

static void what_is_no_instant_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "+",
        "+5",
        "5m",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00Zx",
        "2026-01-31T12:00:00+0100",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:30:00+01:00",
        "26-01-31T12:00:00Z",
    };
    int64_t value = -7;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        if (timestamp_parse(wrong[i], &value))
            fail_msg("took %s", wrong[i]);
        assert_int_equal(value, -7);
    }
}

/* ---- Lines -------------------------------------------------------------------------------- */

static int file_of(const char *bytes, size_t length)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fflush(file), 0);
    int fd = dup(fileno(file));
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    (void)fclose(file);
    return fd;
}

static void lines_are_given_out_one_by_one_and_counted(void **state)
{
    static const char bytes[] = "one\n\nthree\0x\nlast";
    static const struct {
        const char *line;
        size_t length;
    } lines[] = {{"one", 3}, {"", 0}, {"three\0x", 7}, {"last", 4}};
    struct reader reader;
    const char *line;
    size_t length;
    int fd = file_of(bytes, sizeof(bytes) - 1);

    (void)state;
    reader_init(&reader, fd, 100);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        assert_int_equal(reader_next(&reader, &line, &length), READER_LINE);
        assert_int_equal(reader.line_number, i + 1);
        assert_int_equal(length, lines[i].length);
        assert_memory_equal(line, lines[i].line, length);
    }
    assert_int_equal(reader_next(&reader, &line, &length), READER_END);
    assert_int_equal(reader_next(&reader, &line, &length), READER_END);
    reader_clear(&reader);
    (void)close(fd);
}

static void lines_longer_than_the_buffer_are_whole_up_to_the_limit(void **state)
{
    const size_t limit = (size_t)1024 * 1024;
    char *bytes = malloc(2 * limit + 3);
    struct reader reader;
    const char *line;
    size_t length;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'a', limit);
    bytes[limit] = '\n';
    memset(bytes + limit + 1, 'b', limit + 1);
    bytes[2 * limit + 2] = '\n';
    int fd = file_of(bytes, 2 * limit + 3);
    reader_init(&reader, fd, limit);
    assert_int_equal(reader_next(&reader, &line, &length), READER_LINE);
    assert_int_equal(length, limit);
    assert_memory_equal(line, bytes, limit);
    assert_int_equal(reader_next(&reader, &line, &length), READER_TOO_LONG);
    assert_int_equal(reader.line_number, 2);
    reader_clear(&reader);
    (void)close(fd);
    free(bytes);
}

static void a_descriptor_that_cannot_be_read_is_a_failure(void **state)
{
    struct reader reader;
    const char *line;
    size_t length;

    (void)state;
    reader_init(&reader, -1, 100);
    assert_int_equal(reader_next(&reader, &line, &length), READER_FAILED);
    reader_clear(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_BATCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        IN_BATCH(every_key_reaches_the_event),
        IN_BATCH(what_is_left_out_or_null_is_absent),
        IN_BATCH(a_text_payload_keeps_escapes_and_nuls),
        IN_BATCH(a_json_payload_is_kept_byte_for_byte),
        IN_BATCH(base64_payloads_are_decoded),
        IN_BATCH(events_of_a_batch_stand_side_by_side),
        IN_BATCH(broken_lines_are_refused_with_the_reason),
        IN_BATCH(wrong_members_are_refused_by_name),
        IN_BATCH(base64_that_is_not_is_refused),
        cmocka_unit_test(instants_are_read_to_the_microsecond),
        cmocka_unit_test(what_is_no_instant_is_refused),
        cmocka_unit_test(lines_are_given_out_one_by_one_and_counted),
        cmocka_unit_test(lines_longer_than_the_buffer_are_whole_up_to_the_limit),
        cmocka_unit_test(a_descriptor_that_cannot_be_read_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
