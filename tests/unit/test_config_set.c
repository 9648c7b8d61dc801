/*
 * test_config_set.c - --set on top of the file
 * SPDX-License-Identifier: MIT
 */
#include "configuration.h"

#include <string.h>

static void load(struct loaded *loaded, const char *text, const char *const *set, size_t count)
{
    loaded_init(loaded, &(struct config_source){.text = text, .set = set, .set_count = count});
    for (size_t i = 0; i < loaded->mistakes.count; i++)
        print_error("%s\n", loaded->mistakes.lines[i]);
    assert_non_null(loaded->config);
}

static void assert_set_refused(const char *set, const char *line)
{
    const char *const list[] = {set};
    assert_source_refused(
        &(struct config_source){.text = PIPELINE(""), .set = list, .set_count = 1}, line, NULL);
}

static void a_value_overrides_the_file_and_makes_missing_objects(void **state)
{
    (void)state;
    static const char *const set[] = {"pipelines.0.name=invoices",
                                      "pipelines.0.claim.batch_size=42", "log.level=warn"};
    struct loaded loaded;
    load(&loaded, PIPELINE(""), set, 3);
    assert_string_equal(loaded.config->pipelines[0].name, "invoices");
    assert_int_equal(loaded.config->pipelines[0].tunables.batch_size, 42);
    assert_int_equal(loaded.config->log_level, OUTBOX_LOG_WARN);
    loaded_clear(&loaded);
}

static void the_last_of_several_wins(void **state)
{
    (void)state;
    static const char *const set[] = {"pipelines.0.claim.workers=9",
                                      "pipelines.0.claim={\"workers\": 5}"};
    struct loaded loaded;
    load(&loaded, PIPELINE(", \"claim\": {\"workers\": 3}"), set, 2);
    assert_int_equal(loaded.config->pipelines[0].workers, 5);
    loaded_clear(&loaded);
}

static void a_whole_configuration_can_be_set(void **state)
{
    (void)state;
    static const char *const set[] = {
        "pipelines.0.name=a",
        "pipelines.0.store.driver=sample",
        "pipelines.0.store.url=x=y=z",
        "pipelines.0.store.columns.a\\.b=c",
        "pipelines.0.publisher.driver=sample",
        "pipelines.1={\"name\":\"b\",\"store\":{\"driver\":\"holder\"},\"publisher\":{}}",
        "pipelines.1.publisher.driver=sample",
        "pipelines.1.claim.mode=hold",
    };
    struct loaded loaded;
    load(&loaded, "{}", set, 8);
    assert_int_equal(loaded.config->pipeline_count, 2);
    const struct outbox_settings *store = &loaded.config->pipelines[0].store.settings;
    assert_string_equal(outbox_setting_text(store, "url", ""), "x=y=z");
    const struct outbox_setting *columns = outbox_setting_find(store, "columns");
    assert_non_null(columns);
    assert_string_equal(columns->pairs[0].name.data, "a.b");
    loaded_clear(&loaded);
}

static void a_value_that_is_no_json_is_text(void **state)
{
    (void)state;
    static const char *const set[] = {"pipelines.0.store.table={events", "relay.id=7x",
                                      "pipelines.0.store.password="};
    struct loaded loaded;
    load(&loaded, PIPELINE(""), set, 3);
    const struct outbox_settings *store = &loaded.config->pipelines[0].store.settings;
    assert_string_equal(outbox_setting_text(store, "table", ""), "{events");
    assert_string_equal(outbox_setting_text(store, "password", "x"), "");
    assert_string_equal(loaded.config->relay_id, "7x");
    loaded_clear(&loaded);
}

static void a_wrong_path_is_told_without_the_value(void **state)
{
    (void)state;
    assert_set_refused("log.level", "--set log.level: has no \"=\"; write it as "
                                    "pipelines.0.claim.batch_size=100");
    assert_set_refused("=hunter2", "--set : a part of the path is empty or too long");
    assert_set_refused("log..level=hunter2",
                       "--set log..level: a part of the path is empty or too long");
    assert_set_refused("log.=hunter2", "--set log.: a part of the path is empty or too long");
    assert_set_refused("pipelines.2.name=hunter2",
                       "--set pipelines.2.name: \"2\" is no place in an array of 1; 1 appends");
    assert_set_refused("pipelines.first=hunter2",
                       "--set pipelines.first: \"first\" is no place in an array of 1; 1 appends");
    assert_set_refused("pipelines.0.name.x=hunter2",
                       "--set pipelines.0.name.x: \"x\" cannot be set inside a value that is "
                       "neither object nor array");
    assert_set_refused("pipelines.a\nb\033=hunter2",
                       "--set pipelines.a\\nb\\x1b: \"a\\nb\\x1b\" is no place in an array of 1; 1 "
                       "appends");
    assert_set_refused("log.level=\xff", "--set log.level: the value is not UTF-8 text");
}

static void a_value_that_is_set_is_checked_like_the_file(void **state)
{
    (void)state;
    assert_set_refused("pipelines.0.claim.batchsize=1",
                       "pipelines[0].claim.batchsize: unknown key; did you mean \"batch_size\"?");
    assert_set_refused("pipelines.0.claim.workers=\"3\"",
                       "pipelines[0].claim.workers: found \"3\", allowed is an integer from 1 to "
                       "64");
}

static void several_wrong_paths_are_told_at_once(void **state)
{
    (void)state;
    static const char *const set[] = {"a", "pipelines.5=1"};
    assert_source_refused(&(struct config_source){.text = PIPELINE(""), .set = set, .set_count = 2},
                          "--set a: has no \"=\"; write it as pipelines.0.claim.batch_size=100",
                          "--set pipelines.5: \"5\" is no place in an array of 1; 1 appends", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_overrides_the_file_and_makes_missing_objects),
        cmocka_unit_test(the_last_of_several_wins),
        cmocka_unit_test(a_whole_configuration_can_be_set),
        cmocka_unit_test(a_value_that_is_no_json_is_text),
        cmocka_unit_test(a_wrong_path_is_told_without_the_value),
        cmocka_unit_test(a_value_that_is_set_is_checked_like_the_file),
        cmocka_unit_test(several_wrong_paths_are_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
