/*
 * test_log.c - log lines, for people and for machines
 * SPDX-License-Identifier: MIT
 */
#include "log.h"

#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 4
#define LINES_A_THREAD 200

/* Standard error, led into a file for the time of a test. */
struct capture {
    FILE *file;
    int kept;
};

static void capture_start(struct capture *capture)
{
    capture->file = tmpfile();
    assert_non_null(capture->file);
    capture->kept = dup(STDERR_FILENO);
    assert_true(capture->kept >= 0);
    assert_true(dup2(fileno(capture->file), STDERR_FILENO) >= 0);
}

/* What was written; the caller frees it. */
static char *capture_end(struct capture *capture, size_t *length)
{
    assert_true(dup2(capture->kept, STDERR_FILENO) >= 0);
    (void)close(capture->kept);
    off_t size = lseek(fileno(capture->file), 0, SEEK_END);
    assert_true(size >= 0);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(pread(fileno(capture->file), text, (size_t)size, 0), size);
    (void)fclose(capture->file);
    *length = (size_t)size;
    return text;
}

static char *line_of(enum log_format format, const char *message, const struct log_field *fields,
                     size_t count)
{
    struct capture capture;
    size_t length;

    log_setup(OUTBOX_LOG_DEBUG, format);
    capture_start(&capture);
    log_write(OUTBOX_LOG_DEBUG, message, fields, count); /* of these none is left out */
    char *line = capture_end(&capture, &length);
    assert_true(length > 0 && length <= PIPE_BUF);
    assert_int_equal(strlen(line), length);
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
    return line;
}

static json_t *document_of(const char *message, const struct log_field *fields, size_t count)
{
    json_error_t problem;
    char *line = line_of(LOG_FORMAT_JSON, message, fields, count);
    json_t *document = json_loads(line, JSON_REJECT_DUPLICATES, &problem);
    if (!document)
        fail_msg("%s: %s", problem.text, line);
    free(line);
    return document;
}

static const char *member(const json_t *document, const char *name)
{
    const char *text = json_string_value(json_object_get(document, name));
    if (!text)
        fail_msg("no %s", name);
    return text;
}

static void a_text_line_has_time_level_message_and_fields(void **state)
{
    const struct log_field fields[] = {FIELD("plain", "abc"),  FIELD("spaced", "a b"),
                                       FIELD("empty", ""),     FIELD("none", NULL),
                                       FIELD("quote", "a\"b"), FIELD_NUMBER("number", -42)};
    char *line = line_of(LOG_FORMAT_TEXT, "store is away", fields, 6);

    (void)state;
    assert_int_equal(line[10], 'T');
    assert_string_equal(line + 23,
                        "Z debug store is away plain=abc spaced=\"a b\" empty=\"\" none=\"\" "
                        "quote=\"a\\\"b\" number=-42\n");
    free(line);
}

static void a_text_line_shows_control_characters_and_stray_bytes(void **state)
{
    const struct log_field fields[] = {FIELD("f", "a\nb\x1b[2J\xff\xc2\x9b\xe2\x82\xac")};
    char *line = line_of(LOG_FORMAT_TEXT, "two\nlines\r", fields, 1);

    (void)state;
    assert_non_null(strstr(line, " two\\nlines\\r f="));
    assert_non_null(strstr(line, "a\\nb\\x1b[2J\\xff\\u009b\xe2\x82\xac"));
    free(line);
}

static void a_json_line_is_an_object(void **state)
{
    const struct log_field fields[] = {FIELD("name", "a \"b\" \\ \n\x01"),
                                       FIELD_NUMBER("count", 7)};
    json_t *document = document_of("it's \"so\"", fields, 2);

    (void)state;
    assert_int_equal(strlen(member(document, "time")), 24);
    assert_string_equal(member(document, "level"), "debug");
    assert_string_equal(member(document, "message"), "it's \"so\"");
    assert_string_equal(member(document, "name"), "a \"b\" \\ \n\x01");
    assert_int_equal(json_integer_value(json_object_get(document, "count")), 7);
    json_decref(document);
}

static void bytes_that_are_no_utf8_do_not_break_json(void **state)
{
    /* A stray byte, a cut sequence, an overlong form, a surrogate, one past the last. */
    const struct log_field fields[] = {FIELD("f",
                                             "\xff|\xe2\x82|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|"
                                             "\xf0\x9f\x98\x80|\xe2")};
    json_t *document = document_of("m", fields, 1);
    const char *text = member(document, "f");

    (void)state;
    assert_ptr_equal(strstr(text, "\xef\xbf\xbd|"), text);
    assert_non_null(strstr(text, "|\xf0\x9f\x98\x80|\xef\xbf\xbd"));
    json_decref(document);
}

/* Values of every length around the limit: the line must end well wherever the cut falls. */
static void a_line_too_long_is_cut_and_still_well_formed(void **state)
{
    char *value = malloc(PIPE_BUF + 64);

    (void)state;
    assert_non_null(value);
    for (size_t length = PIPE_BUF - 200; length < PIPE_BUF + 64; length++) {
        memset(value, length % 2 ? 'x' : '\n', length - 1);
        value[length - 1] = '\0';
        const struct log_field fields[] = {FIELD("first", value), FIELD("second", "kept or not"),
                                           FIELD_NUMBER("third", 3)};
        json_decref(document_of("m", fields, 3));
        json_decref(document_of(value, fields + 1, 2));
        free(line_of(LOG_FORMAT_TEXT, value, fields, 3));
    }
    free(value);
}

static void lines_above_the_level_are_left_out(void **state)
{
    struct capture capture;
    size_t length;

    (void)state;
    log_setup(OUTBOX_LOG_WARN, LOG_FORMAT_TEXT);
    capture_start(&capture);
    log_line(OUTBOX_LOG_INFO, "unheard");
    log_line(OUTBOX_LOG_WARN, "heard", FIELD("a", "b"));
    char *text = capture_end(&capture, &length);
    assert_null(strstr(text, "unheard"));
    assert_non_null(strstr(text, "heard a=b\n"));
    free(text);
}

static void *log_many(void *argument)
{
    for (int i = 0; i < LINES_A_THREAD; i++)
        log_line(OUTBOX_LOG_DEBUG, "many", FIELD("who", argument), FIELD_NUMBER("n", i));
    return NULL;
}

static void lines_of_several_threads_stay_whole(void **state)
{
    static char names[THREADS][2] = {"a", "b", "c", "d"};
    pthread_t threads[THREADS];
    struct capture capture;
    size_t length, lines = 0;

    (void)state;
    log_setup(OUTBOX_LOG_DEBUG, LOG_FORMAT_JSON);
    capture_start(&capture);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    char *text = capture_end(&capture, &length);
    for (char *line = text, *feed; (feed = strchr(line, '\n')); line = feed + 1, lines++) {
        json_t *document = json_loadb(line, (size_t)(feed - line), 0, NULL);
        assert_non_null(document);
        json_decref(document);
    }
    assert_int_equal(lines, THREADS * LINES_A_THREAD);
    free(text);
}

/* ---- Repeated lines, and the sink --------------------------------------------------------- */

struct seen {
    size_t lines;
    long long suppressed;
    char last[64];
};

static void see(void *context, uint32_t level, const char *message, const struct log_field *fields,
                size_t count)
{
    struct seen *seen = context;

    (void)level;
    seen->lines++;
    (void)snprintf(seen->last, sizeof(seen->last), "%s", message);
    if (count > 0 && strcmp(fields[count - 1].name, "suppressed") == 0)
        seen->suppressed += fields[count - 1].number;
}

static void repeated_lines_are_counted_and_told_once(void **state)
{
    struct capture capture;
    struct seen seen = {0};
    size_t length;
    uint64_t before = log_suppressed();

    (void)state;
    log_setup(OUTBOX_LOG_INFO, LOG_FORMAT_JSON);
    capture_start(&capture);
    log_set_sink(see, &seen);
    for (int i = 0; i < 50; i++)
        log_line(OUTBOX_LOG_WARN, "again", FIELD("pipeline", "p"), FIELD_NUMBER("n", i));
    log_line(OUTBOX_LOG_WARN, "again", FIELD("pipeline", "another"));
    assert_int_equal(seen.lines, 21);
    log_flush(false); /* their time is not over */
    assert_int_equal(seen.lines, 21);
    log_flush(true);
    assert_int_equal(seen.lines, 22);
    assert_int_equal(seen.suppressed, 30);
    log_flush(true);
    log_set_sink(NULL, NULL);
    log_line(OUTBOX_LOG_WARN, "not for the sink");
    char *text = capture_end(&capture, &length);
    assert_int_equal(seen.lines, 22);
    assert_int_equal(log_suppressed() - before, 30);
    assert_non_null(strstr(text, "\"line\":\"again\",\"pipeline\":\"p\",\"suppressed\":30}"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_has_time_level_message_and_fields),
        cmocka_unit_test(a_text_line_shows_control_characters_and_stray_bytes),
        cmocka_unit_test(a_json_line_is_an_object),
        cmocka_unit_test(bytes_that_are_no_utf8_do_not_break_json),
        cmocka_unit_test(a_line_too_long_is_cut_and_still_well_formed),
        cmocka_unit_test(lines_above_the_level_are_left_out),
        cmocka_unit_test(lines_of_several_threads_stay_whole),
        cmocka_unit_test(repeated_lines_are_counted_and_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
