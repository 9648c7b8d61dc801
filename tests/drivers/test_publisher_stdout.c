/*
 * test_publisher_stdout.c - the publisher that writes to standard output
 * SPDX-License-Identifier: MIT
 */
#include "publisher_host.h"
#include "publisher_lines.h"
#include "test_publishers.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
/* After those that it needs. */
#include <cmocka.h>

#define SETTINGS(...) ((const struct outbox_setting[]){__VA_ARGS__, {0}})
#define RAW SETTINGS({.name = "format", .text = "raw"})

/* Standard output while a test has put something else in its place; -1 otherwise. */
static int real_stdout = -1;

static void redirect_stdout(int fd)
{
    (void)fflush(stdout);
    if (real_stdout < 0)
        real_stdout = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    assert_true(real_stdout >= 0);
    assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
}

static int restore_stdout(void **state)
{
    (void)state;
    if (real_stdout < 0)
        return 0;
    int restored = dup2(real_stdout, STDOUT_FILENO);
    (void)close(real_stdout);
    real_stdout = -1;
    return restored < 0;
}

/* Redirects standard output to a file without a name; returns a descriptor to read it by. */
static int redirect_to_file(void)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    int fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 10);
    assert_true(fd >= 0);
    (void)fclose(file);
    redirect_stdout(fd);
    return fd;
}

static char *content_of(int fd, size_t *len)
{
    off_t size = lseek(fd, 0, SEEK_END);
    assert_true(size >= 0);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(pread(fd, text, (size_t)size, 0), size);
    text[size] = '\0';
    *len = (size_t)size;
    return text;
}

/* Reads until the other end is closed. */
struct reader {
    int fd;
    char *text;
    size_t len;
    pthread_t thread;
};

static void *read_all(void *argument)
{
    struct reader *reader = argument;
    size_t capacity = 1 << 16;
    reader->text = malloc(capacity);
    for (;;) {
        if (reader->len == capacity) {
            capacity *= 2;
            char *grown = realloc(reader->text, capacity);
            if (!grown)
                abort();
            reader->text = grown;
        }
        ssize_t got = read(reader->fd, reader->text + reader->len, capacity - reader->len);
        if (got <= 0)
            break;
        reader->len += (size_t)got;
    }
    return NULL;
}

/* ---- Lines -------------------------------------------------------------------------------- */

static void a_line_holds_every_field(void **state)
{
    static const struct outbox_pair headers[] = {{{"trace", 5}, {"a\"b", 3}},
                                                 {{"count", 5}, {"12", 2}}};
    struct subject subject;
    size_t len;
    (void)state;
    int fd = redirect_to_file();
    subject_open(&subject, "stdout", NULL);
    struct sending *sending = sending_new(&subject, "id", 1, 4, SECOND);
    sending->events[0].type = outbox_slice_of("order.created");
    sending->events[0].aggregate_type = outbox_slice_of("order");
    sending->events[0].aggregate_id = outbox_slice_of("7");
    sending->events[0].ordering_key = outbox_slice_of("");
    sending->events[0].attempts = 3;
    sending->events[0].created_at = INT64_C(1700000000000123);
    sending->messages[0].topic = outbox_slice_of("orders");
    sending->messages[0].key = outbox_slice_of("caf\xC3\xA9\xFF");
    sending->messages[0].headers = headers;
    sending->messages[0].header_count = 2;
    sending_finish(sending);
    char *text = content_of(fd, &len);
    assert_string_equal(text, "{\"id\":\"id-0\",\"type\":\"order.created\",\"topic\":\"orders\","
                              "\"key\":\"caf\xC3\xA9\xEF\xBF\xBD\",\"payload\":\"aaaa\","
                              "\"headers\":{\"trace\":\"a\\\"b\",\"count\":\"12\"},"
                              "\"aggregate_type\":\"order\",\"aggregate_id\":\"7\","
                              "\"ordering_key\":\"\",\"attempts\":3,"
                              "\"created_at\":\"2023-11-14T22:13:20.000123Z\"}\n");
    free(text);
    sending_free(&sending);
    subject_close(&subject);
    (void)close(fd);
}

static void what_is_absent_is_left_out(void **state)
{
    /* Beyond the calendar of four-digit years, infinity too, is as good as absent. */
    static const int64_t times[] = {0, INT64_C(253402300800000000), -INT64_C(62167219200000001),
                                    INT64_MAX, INT64_MIN};
    enum { TIMES = sizeof(times) / sizeof(times[0]) };
    struct subject subject;
    size_t len;
    (void)state;
    int fd = redirect_to_file();
    subject_open(&subject, "stdout", NULL);
    struct sending *sending = sending_new(&subject, "id", TIMES, 0, SECOND);
    for (int i = 0; i < TIMES; i++) {
        sending->events[i].id = outbox_slice_of("id-0");
        sending->events[i].created_at = times[i];
    }
    sending_finish(sending);
    char *text = content_of(fd, &len);
    static const char line[] =
        "{\"id\":\"id-0\",\"type\":\"t\",\"topic\":\"t\",\"payload\":\"\",\"attempts\":0}\n";
    assert_int_equal(len, TIMES * (sizeof(line) - 1));
    for (int i = 0; i < TIMES; i++)
        assert_memory_equal(text + (size_t)i * (sizeof(line) - 1), line, sizeof(line) - 1);
    free(text);
    sending_free(&sending);
    subject_close(&subject);
    (void)close(fd);
}

/* Every byte, and every way for bytes not to be UTF-8, at every distance from the eight bytes that
 * are looked at together. */
static void any_payload_comes_back_from_its_line(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool is_text;
    } cases[] = {
        {"\"\\/\b\f\n\r\t\x01\x1F\x7F", 11, true},
        {"a\0b", 3, true},
        {"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", 11, true},
        {"\xEF\xBF\xBF\xED\x9F\xBF\xF4\x8F\xBF\xBF", 10, true},
        {"\xC0\x80", 2, false},
        {"\xE0\x80\x80", 3, false},
        {"\xED\xA0\x80", 3, false},
        {"\xF4\x90\x80\x80", 4, false},
        {"\xF0\x80\x80\x80", 4, false},
        {"\x80", 1, false},
        {"\xC3", 1, false},
        {"\xE2\x82", 2, false},
        {"\xFF\xFE", 2, false},
    };
    enum { CASES = sizeof(cases) / sizeof(cases[0]), PADDINGS = 17 };
    static char payloads[CASES * PADDINGS][64];
    struct subject subject;
    size_t len;
    (void)state;
    int fd = redirect_to_file();
    subject_open(&subject, "stdout", NULL);
    struct sending *sending = sending_new(&subject, "id", CASES * PADDINGS, 0, SECOND);
    for (size_t i = 0; i < CASES * PADDINGS; i++) {
        size_t padding = i % PADDINGS;
        memset(payloads[i], 'x', sizeof(payloads[i]));
        memcpy(payloads[i] + padding, cases[i / PADDINGS].bytes, cases[i / PADDINGS].len);
        sending->messages[i].payload =
            (struct outbox_slice){payloads[i], padding + cases[i / PADDINGS].len};
    }
    sending_finish(sending);
    char *text = content_of(fd, &len);
    json_t *lines = lines_parse(text, len);
    assert_int_equal(json_array_size(lines), CASES * PADDINGS);
    for (size_t i = 0; i < CASES * PADDINGS; i++) {
        const json_t *line = json_array_get(lines, i);
        const json_t *payload = json_object_get(line, "payload");
        struct outbox_slice sent = sending->messages[i].payload;
        assert_int_equal(payload != NULL, cases[i / PADDINGS].is_text);
        assert_int_equal(json_object_get(line, "payload_base64") == NULL,
                         cases[i / PADDINGS].is_text);
        if (!payload)
            continue;
        assert_int_equal(json_string_length(payload), sent.len);
        assert_memory_equal(json_string_value(payload), sent.data, sent.len);
    }
    json_decref(lines);
    free(text);
    sending_free(&sending);
    subject_close(&subject);
    (void)close(fd);
}

static void bytes_that_are_no_text_come_in_base64(void **state)
{
    static const char *const expected[] = {"/w==", "//4=", "//79", "//79/A=="};
    struct subject subject;
    size_t len;
    (void)state;
    int fd = redirect_to_file();
    subject_open(&subject, "stdout", NULL);
    struct sending *sending = sending_new(&subject, "id", 4, 0, SECOND);
    for (uint64_t i = 0; i < 4; i++)
        sending->messages[i].payload = (struct outbox_slice){"\xFF\xFE\xFD\xFC", i + 1};
    sending_finish(sending);
    char *text = content_of(fd, &len);
    json_t *lines = lines_parse(text, len);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(
            json_string_value(json_object_get(json_array_get(lines, i), "payload_base64")),
            expected[i]);
    json_decref(lines);
    free(text);
    sending_free(&sending);
    subject_close(&subject);
    (void)close(fd);
}

static void raw_writes_the_payload_and_a_newline(void **state)
{
    struct subject subject;
    size_t len;
    (void)state;
    int fd = redirect_to_file();
    subject_open(&subject, "stdout", RAW);
    struct sending *sending = sending_new(&subject, "id", 3, 2, SECOND);
    sending->messages[1].payload = (struct outbox_slice){"\0\xFF\"", 3};
    sending_finish(sending);
    assert_int_equal(sending_count(sending, OUTBOX_ACKED), 3);
    assert_int_equal(sending->calls, 1);
    char *text = content_of(fd, &len);
    assert_int_equal(len, 10);
    assert_memory_equal(text, "aa\n\0\xFF\"\ncc\n", 10);
    free(text);
    sending_free(&sending);
    subject_close(&subject);
    (void)close(fd);
}

/* ---- Faults ------------------------------------------------------------------------------- */

/* It is full after one write, so that it does not matter how soon the deadline comes. */
static void make_small_pipe(int ends[2], int write_flags)
{
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096);
    assert_int_equal(fcntl(ends[1], F_SETFL, write_flags), 0);
}

/* To a pipe that does not block is written without asking first, which sends SIGPIPE. */
static void a_reader_that_has_gone_is_away(void **state)
{
    static const int flags[] = {0, O_NONBLOCK};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct subject subject;
        struct outbox_error error = OUTBOX_ERROR_INIT;
        sigset_t mask, pending;
        int ends[2];
        make_small_pipe(ends, flags[i]);
        redirect_stdout(ends[1]);
        (void)close(ends[1]);
        subject_open(&subject, "stdout", NULL);
        assert_int_equal(subject_ping(&subject, &error), OUTBOX_OK);
        (void)close(ends[0]);
        struct sending *sending = sending_new(&subject, "id", 10, 100, SECOND);
        sending_finish(sending);
        assert_int_equal(sending_count(sending, OUTBOX_AWAY), 10);
        assert_non_null(strstr(sending->endings[0].reason, "EPIPE"));
        assert_int_equal(subject_ping(&subject, &error), OUTBOX_UNAVAILABLE);
        assert_string_equal(error.native, "EPIPE");
        assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
        assert_int_equal(sigpending(&pending), 0);
        assert_false(sigismember(&mask, SIGPIPE));
        assert_false(sigismember(&pending, SIGPIPE));
        sending_free(&sending);
        subject_close(&subject);
    }
}

static void a_full_device_is_away(void **state)
{
    struct subject subject;
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        skip();
    redirect_stdout(fd);
    (void)close(fd);
    subject_open(&subject, "stdout", NULL);
    struct sending *sending = sending_new(&subject, "id", 10, 100, SECOND);
    sending_finish(sending);
    assert_int_equal(sending_count(sending, OUTBOX_AWAY), 10);
    assert_non_null(strstr(sending->endings[9].reason, "ENOSPC"));
    sending_free(&sending);
    subject_close(&subject);
}

/* Nobody reads until the deadline; then somebody does, and the next batch comes. */
static void check_slow_reader(int read_end, int write_end)
{
    struct subject subject;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    redirect_stdout(write_end);
    (void)close(write_end);
    subject_open(&subject, "stdout", NULL);
    struct sending *first = sending_new(&subject, "first", 4000, 300, SECOND / 20);
    sending_finish(first);
    uint64_t acked = sending_prefix(first, OUTBOX_ACKED);
    assert_in_range(acked, 1, 3999);
    assert_int_equal(sending_count(first, OUTBOX_AWAY), 4000 - acked);
    assert_non_null(strstr(first->endings[3999].reason, "ETIMEDOUT"));
    assert_int_equal(subject_ping(&subject, &error), OUTBOX_UNAVAILABLE);

    struct reader reader = {.fd = read_end};
    assert_int_equal(pthread_create(&reader.thread, NULL, read_all, &reader), 0);
    struct sending *second = sending_new(&subject, "second", 4000, 300, 60 * SECOND);
    sending_finish(second);
    assert_int_equal(sending_count(second, OUTBOX_ACKED), 4000);
    subject_close(&subject);
    (void)restore_stdout(NULL);
    assert_int_equal(pthread_join(reader.thread, NULL), 0);

    json_t *lines = lines_parse(reader.text, reader.len);
    size_t finished = lines_with_id(lines, "first", acked);
    assert_in_range(finished, 0, 1);
    assert_int_equal(json_array_size(lines), acked + finished + 4000);
    assert_true(lines_in_order(lines, "first", acked + finished));
    assert_true(lines_in_order(lines, "second", 4000));
    json_decref(lines);
    free(reader.text);
    (void)close(read_end);
    sending_free(&first);
    sending_free(&second);
}

static void a_slow_reader_of_a_pipe_gets_whole_lines(void **state)
{
    int ends[2];
    (void)state;
    make_small_pipe(ends, 0);
    check_slow_reader(ends[0], ends[1]);
}

static void a_slow_reader_of_a_non_blocking_pipe_gets_whole_lines(void **state)
{
    int ends[2];
    (void)state;
    make_small_pipe(ends, O_NONBLOCK);
    check_slow_reader(ends[0], ends[1]);
}

static void a_slow_reader_of_a_socket_gets_whole_lines(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    check_slow_reader(ends[0], ends[1]);
}

/* The half line waits for a reader that comes before the relay ends. */
static void close_finishes_a_line_that_was_cut_off(void **state)
{
    struct subject subject;
    int ends[2];
    (void)state;
    make_small_pipe(ends, 0);
    redirect_stdout(ends[1]);
    (void)close(ends[1]);
    subject_open(&subject, "stdout", RAW);
    struct sending *sending = sending_new(&subject, "e", 1, 100000, SECOND / 20);
    sending_finish(sending);
    assert_int_equal(sending_count(sending, OUTBOX_AWAY), 1);
    struct reader reader = {.fd = ends[0]};
    assert_int_equal(pthread_create(&reader.thread, NULL, read_all, &reader), 0);
    subject_close(&subject);
    (void)restore_stdout(NULL);
    assert_int_equal(pthread_join(reader.thread, NULL), 0);
    assert_int_equal(reader.len, 100001);
    assert_int_equal(reader.text[100000], '\n');
    free(reader.text);
    (void)close(ends[0]);
    sending_free(&sending);
}

static void closed_standard_output_is_refused(void **state)
{
    struct subject subject;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    (void)state;
    redirect_stdout(STDOUT_FILENO);
    (void)close(STDOUT_FILENO);
    enum outbox_status status = subject_try_open(&subject, "stdout", NULL, &error);
    (void)restore_stdout(NULL);
    assert_int_equal(status, OUTBOX_INVALID);
    assert_non_null(strstr(error.text, "standard output is closed"));
    subject_close(&subject);
}

/* ---- Many --------------------------------------------------------------------------------- */

struct publishing {
    struct subject *subject;
    const char *prefix;
    pthread_t thread;
};

static void *publish_batches(void *argument)
{
    struct publishing *publishing = argument;
    for (int i = 0; i < 5; i++) {
        char prefix[32];
        (void)snprintf(prefix, sizeof(prefix), "%s%d", publishing->prefix, i);
        struct sending *sending = sending_new(publishing->subject, prefix, 1500, 200, 60 * SECOND);
        sending_finish(sending);
        if (sending_count(sending, OUTBOX_ACKED) != 1500)
            abort();
        sending_free(&sending);
    }
    return NULL;
}

/* Two pipelines, two threads each, and a pipe in which a write of one does not go through at once.
 */
static void lines_of_threads_and_pipelines_do_not_mix(void **state)
{
    static const char *const prefixes[] = {"a", "b", "c", "d"};
    struct publishing publishing[4];
    struct subject subjects[2];
    int ends[2];
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    redirect_stdout(ends[1]);
    (void)close(ends[1]);
    struct reader reader = {.fd = ends[0]};
    assert_int_equal(pthread_create(&reader.thread, NULL, read_all, &reader), 0);
    subject_open(&subjects[0], "stdout", NULL);
    subject_open(&subjects[1], "stdout", NULL);
    for (size_t i = 0; i < 4; i++) {
        publishing[i] = (struct publishing){.subject = &subjects[i % 2], .prefix = prefixes[i]};
        assert_int_equal(
            pthread_create(&publishing[i].thread, NULL, publish_batches, &publishing[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(publishing[i].thread, NULL), 0);
    subject_close(&subjects[0]);
    subject_close(&subjects[1]);
    (void)restore_stdout(NULL);
    assert_int_equal(pthread_join(reader.thread, NULL), 0);

    json_t *lines = lines_parse(reader.text, reader.len);
    assert_int_equal(json_array_size(lines), 4 * 5 * 1500);
    for (int i = 0; i < 20; i++) {
        char prefix[32];
        (void)snprintf(prefix, sizeof(prefix), "%s%d", prefixes[i / 5], i % 5);
        assert_true(lines_in_order(lines, prefix, 1500));
    }
    json_decref(lines);
    free(reader.text);
    (void)close(ends[0]);
}

#define stdout_test(test) cmocka_unit_test_teardown(test, restore_stdout)

int test_publisher_stdout(void)
{
    const struct CMUnitTest tests[] = {
        stdout_test(a_line_holds_every_field),
        stdout_test(what_is_absent_is_left_out),
        stdout_test(any_payload_comes_back_from_its_line),
        stdout_test(bytes_that_are_no_text_come_in_base64),
        stdout_test(raw_writes_the_payload_and_a_newline),
        stdout_test(a_reader_that_has_gone_is_away),
        stdout_test(a_full_device_is_away),
        stdout_test(a_slow_reader_of_a_pipe_gets_whole_lines),
        stdout_test(a_slow_reader_of_a_non_blocking_pipe_gets_whole_lines),
        stdout_test(a_slow_reader_of_a_socket_gets_whole_lines),
        stdout_test(close_finishes_a_line_that_was_cut_off),
        stdout_test(closed_standard_output_is_refused),
        stdout_test(lines_of_threads_and_pipelines_do_not_mix),
    };
    return cmocka_run_group_tests_name("publisher-stdout", tests, NULL, NULL);
}
