/*
 * test_config_values.c - variables and secrets in the values of the file
 * SPDX-License-Identifier: MIT
 */
#include "configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/outbox-secrets-XXXXXX";

static int prepare(void **state)
{
    (void)state;
    (void)setenv("TEST_HOST", "db.example.org", 1);
    (void)setenv("TEST_EMPTY", "", 1);
    (void)setenv("TEST_COUNT", "17", 1);
    (void)setenv("TEST_WORD", "hunter2", 1);
    (void)setenv("TEST_BYTES", "\xff\xfe", 1);
    (void)unsetenv("TEST_UNSET");
    return mkdtemp(folder) ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* Loads with store.`key` set to `value` (JSON) and returns whether it was accepted. */
static bool load(struct loaded *loaded, const char *key, const char *value)
{
    char set[1024];
    const char *const list[] = {set};
    (void)snprintf(set, sizeof set, "pipelines.0.store.%s=%s", key, value);
    loaded_init(loaded, &(struct config_source){.text = PIPELINE(""), .set = list, .set_count = 1});
    return loaded->config != NULL;
}

static void assert_text(const char *value, const char *expected)
{
    struct loaded loaded;
    if (!load(&loaded, "table", value))
        fail_msg("%s", loaded.mistakes.lines[0]);
    assert_string_equal(
        outbox_setting_text(&loaded.config->pipelines[0].store.settings, "table", ""), expected);
    loaded_clear(&loaded);
}

static void assert_value_refused(const char *key, const char *value, const char *line)
{
    struct loaded loaded;
    assert_false(load(&loaded, key, value));
    assert_int_equal(loaded.mistakes.count, 1);
    assert_string_equal(loaded.mistakes.lines[0], line);
    loaded_clear(&loaded);
}

static void variables_are_replaced_wherever_they_stand(void **state)
{
    (void)state;
    assert_text("\"${TEST_HOST}\"", "db.example.org");
    assert_text("\"a${TEST_HOST}b${TEST_COUNT}\"", "adb.example.orgb17");
    assert_text("\"${TEST_EMPTY}\"", "");
    assert_text("\"${TEST_UNSET:-other}\"", "other");
    assert_text("\"${TEST_EMPTY:-other}\"", "other");
    assert_text("\"${TEST_HOST:-other}\"", "db.example.org");
    assert_text("\"${TEST_UNSET:-}x\"", "x");
    assert_text("\"${TEST_UNSET:-a:-b$c}\"", "a:-b$c");
}

static void a_text_key_keeps_what_set_says_word_for_word(void **state)
{
    (void)state;
    assert_text("null", "null");
    assert_text("1.50", "1.50");
    assert_text("true", "true");
    assert_text("\"quoted\"", "quoted");
    assert_value_refused("table", "[1]",
                         "pipelines[0].store.table: found an array, allowed is text in quotes");
    static const char *const sets[] = {"pipelines.0.store.table=5", "pipelines.0.store={\"url\":"
                                                                    "\"u\",\"driver\":\"sample\","
                                                                    "\"table\":6}"};
    assert_source_refused(
        &(struct config_source){.text = PIPELINE(""), .set = sets, .set_count = 2},
        "pipelines[0].store.table: found 6, allowed is text in quotes", NULL);
}

static void what_is_escaped_or_no_reference_stays(void **state)
{
    (void)state;
    assert_text("\"$${TEST_HOST}\"", "${TEST_HOST}");
    assert_text("\"$$${TEST_COUNT}\"", "$${TEST_COUNT}");
    assert_text("\"$TEST_HOST $ $$ {}\"", "$TEST_HOST $ $$ {}");
    (void)setenv("TEST_NESTED", "${TEST_HOST}", 1);
    assert_text("\"${TEST_NESTED}\"", "${TEST_HOST}");
}

static void a_variable_that_is_not_set_is_named(void **state)
{
    (void)state;
    assert_value_refused("table", "\"${TEST_UNSET}\"",
                         "pipelines[0].store.table: the environment variable TEST_UNSET is not "
                         "set; set it, or give a default: \"${TEST_UNSET:-default}\"");
}

static void a_broken_reference_is_told(void **state)
{
    (void)state;
    assert_value_refused("table", "\"x${TEST_HOST\"",
                         "pipelines[0].store.table: \"${\" has no \"}\"; for the characters "
                         "themselves write \"$${\"");
    assert_value_refused("password", "\"${TEST_HOST:=hunter2}\"",
                         "pipelines[0].store.password: \"${TEST_HOST\" does not begin a reference "
                         "to a variable, allowed is \"${VAR}\" or \"${VAR:-default}\"; for the "
                         "characters themselves write \"$${\"");
    assert_value_refused("table", "\"${TEST_BYTES}\"",
                         "pipelines[0].store.table: the environment variable TEST_BYTES is not "
                         "UTF-8");
}

static void every_unset_variable_of_a_text_is_told(void **state)
{
    (void)state;
    struct loaded loaded;
    assert_false(load(&loaded, "table", "\"${TEST_UNSET}${TEST_UNSET2}\""));
    assert_int_equal(loaded.mistakes.count, 2);
    loaded_clear(&loaded);
}

static void numbers_and_booleans_can_come_from_variables(void **state)
{
    (void)state;
    static const char *const set[] = {
        "pipelines.0.claim.workers=${TEST_COUNT}",
        "pipelines.0.claim.notify=${TEST_UNSET:-false}",
        "pipelines.0.claim.lease=${TEST_COUNT}s",
        "pipelines.0.claim.mode=${TEST_UNSET:-lease}",
        "pipelines.0.publish.max_payload=${TEST_COUNT}KiB",
        "pipelines.0.retry.jitter=${TEST_UNSET:-0.25}",
    };
    struct loaded loaded;
    loaded_init(&loaded, &(struct config_source){.text = PIPELINE(""), .set = set, .set_count = 6});
    assert_non_null(loaded.config);
    const struct pipeline_config *pipeline = &loaded.config->pipelines[0];
    assert_int_equal(pipeline->workers, 17);
    assert_false(pipeline->notify);
    assert_int_equal(pipeline->tunables.lease, INT64_C(17000000000));
    assert_int_equal(pipeline->tunables.max_payload, 17 * 1024);
    assert_true(pipeline->tunables.jitter > 0.24 && pipeline->tunables.jitter < 0.26);
    loaded_clear(&loaded);
}

static void a_mistake_shows_the_reference_never_its_value(void **state)
{
    (void)state;
    assert_value_refused("slots", "\"${TEST_WORD}\"",
                         "pipelines[0].store.slots: found \"${TEST_WORD}\" (after replacing its "
                         "variables), allowed is an integer from -2 to 8");
    assert_value_refused("shape", "\"${TEST_WORD}\"",
                         "pipelines[0].store.shape: found \"${TEST_WORD}\" (after replacing its "
                         "variables), allowed is one of flat, round");
}

static void a_secret_is_never_shown(void **state)
{
    (void)state;
    assert_refused(
        "{\"pipelines\": [{\"name\": \"orders\", \"publisher\": {\"driver\": \"sample\"},"
        " \"store\": {\"driver\": \"sample\", \"url\": \"u\", \"password\": 12345}}]}",
        "pipelines[0].store.password: found (secret), allowed is text in quotes "
        "or {\"file\": PATH}",
        NULL);
    assert_value_refused("password", "[\"hunter2\"]",
                         "pipelines[0].store.password: found an array, allowed is text in quotes "
                         "or {\"file\": PATH}");
    assert_value_refused("login", "\"hunter2\"",
                         "pipelines[0].store.login: found (secret), allowed is an object whose "
                         "values are text");
    assert_value_refused("login", "{\"pin\": 12345}",
                         "pipelines[0].store.login.pin: found (secret), allowed is text in quotes "
                         "or {\"file\": PATH}");
    assert_value_refused("pasword", "\"hunter2\"",
                         "pipelines[0].store.pasword: unknown key; did you mean \"password\"?");
}

/* What store.password becomes when its file holds these bytes; NULL if it is refused with `line`.
 */
static void assert_secret(const void *bytes, size_t len, const char *expected, const char *line)
{
    char path[64], value[96], message[256];
    struct loaded loaded;
    (void)snprintf(path, sizeof path, "%s/secret", folder);
    (void)snprintf(value, sizeof value, "{\"file\": \"%s\"}", path);
    file_write(path, bytes, len);
    bool accepted = load(&loaded, "password", value);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(accepted, expected != NULL);
    if (expected) {
        const struct outbox_settings *store = &loaded.config->pipelines[0].store.settings;
        assert_string_equal(outbox_setting_text(store, "password", ""), expected);
    } else {
        (void)snprintf(message, sizeof message,
                       "pipelines[0].store.password: the secret's file %s %s", path, line);
        assert_int_equal(loaded.mistakes.count, 1);
        assert_string_equal(loaded.mistakes.lines[0], message);
    }
    loaded_clear(&loaded);
}

static void a_secret_is_read_from_its_file_without_the_last_newline(void **state)
{
    (void)state;
    assert_secret("hunter2", 7, "hunter2", NULL);
    assert_secret("hunter2\n", 8, "hunter2", NULL);
    assert_secret("hunter2\r\n", 9, "hunter2", NULL);
    assert_secret("hunter2\n\n", 9, "hunter2\n", NULL);
    assert_secret(" ${TEST_HOST} ", 14, " ${TEST_HOST} ", NULL);
}

static void a_file_that_can_hold_no_secret_is_refused(void **state)
{
    (void)state;
    static char large[64 * 1024 + 1];
    memset(large, 'x', sizeof large);
    assert_secret(large, sizeof large, NULL, "is longer than 64KiB, too long for a secret");
    assert_secret("", 0, NULL, "is empty");
    assert_secret("\n", 1, NULL, "is empty");
    assert_secret("a\0b", 3, NULL, "contains a NUL byte");
    assert_secret("\xff", 1, NULL, "is not UTF-8 text");
    assert_value_refused("password", "{\"file\": \"/nonexistent/secret\"}",
                         "pipelines[0].store.password: the secret's file /nonexistent/secret "
                         "cannot be read: No such file or directory");
    assert_value_refused("password", "{\"file\": \"/\"}",
                         "pipelines[0].store.password: the secret's file / cannot be read: Is a "
                         "directory");
    assert_value_refused("password", "{\"file\": \"/a\", \"b\": 1}",
                         "pipelines[0].store.password: found an object, allowed is text in quotes "
                         "or {\"file\": PATH}");
}

static void a_secrets_path_may_come_from_a_variable(void **state)
{
    (void)state;
    char path[64];
    struct loaded loaded;
    (void)snprintf(path, sizeof path, "%s/pin", folder);
    (void)setenv("TEST_FOLDER", folder, 1);
    file_write(path, "1234\n", 5);
    bool accepted = load(&loaded, "login.pin", "{\"file\": \"${TEST_FOLDER}/pin\"}");
    assert_int_equal(unlink(path), 0);
    assert_true(accepted);
    const struct outbox_setting *login =
        outbox_setting_find(&loaded.config->pipelines[0].store.settings, "login");
    assert_non_null(login);
    assert_string_equal(login->pairs[0].value.data, "1234");
    loaded_clear(&loaded);
}

static void a_file_is_only_for_secrets(void **state)
{
    (void)state;
    assert_value_refused("table", "{\"file\": \"/nonexistent\"}",
                         "pipelines[0].store.table: found {\"file\": ...}, which is only for "
                         "secrets and this key is none; allowed is text in quotes");
    assert_value_refused("columns", "{\"id\": {\"file\": \"/nonexistent\"}}",
                         "pipelines[0].store.columns.id: found {\"file\": ...}, which is only for "
                         "secrets and this key is none; allowed is text in quotes");
}

static void a_long_value_is_cut_between_characters(void **state)
{
    (void)state;
    /* The cut falls on the second byte of a letter, so that letter goes as well. */
    assert_value_refused("shape", "\"ääääääääääääääääääääääääääääääääääääääää\"",
                         "pipelines[0].store.shape: found \"äääääääääääääääääääääääääääääääää..., "
                         "allowed is one of flat, round");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_replaced_wherever_they_stand),
        cmocka_unit_test(a_text_key_keeps_what_set_says_word_for_word),
        cmocka_unit_test(what_is_escaped_or_no_reference_stays),
        cmocka_unit_test(a_variable_that_is_not_set_is_named),
        cmocka_unit_test(a_broken_reference_is_told),
        cmocka_unit_test(every_unset_variable_of_a_text_is_told),
        cmocka_unit_test(numbers_and_booleans_can_come_from_variables),
        cmocka_unit_test(a_mistake_shows_the_reference_never_its_value),
        cmocka_unit_test(a_secret_is_never_shown),
        cmocka_unit_test(a_secret_is_read_from_its_file_without_the_last_newline),
        cmocka_unit_test(a_file_that_can_hold_no_secret_is_refused),
        cmocka_unit_test(a_secrets_path_may_come_from_a_variable),
        cmocka_unit_test(a_file_is_only_for_secrets),
        cmocka_unit_test(a_long_value_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
