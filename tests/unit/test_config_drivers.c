/*
 * test_config_drivers.c - the keys of a driver, checked against its own table
 * SPDX-License-Identifier: MIT
 */
#include "configuration.h"

#include <string.h>

#define STORE(keys)                                                                                \
    "{\"pipelines\": [{\"name\": \"orders\", \"store\": {\"driver\": \"sample\"" keys "},"         \
    " \"publisher\": {\"driver\": \"sample\"}}]}"

static const struct outbox_settings *store_of(const struct loaded *loaded)
{
    return &loaded->config->pipelines[0].store.settings;
}

static void settings_are_all_keys_in_the_order_of_the_table_with_its_defaults(void **state)
{
    (void)state;
    struct loaded loaded;
    loaded_init_text(&loaded, STORE(", \"url\": \"u\""));
    const struct outbox_settings *store = store_of(&loaded);
    assert_int_equal(store->size, sizeof *store);
    assert_int_equal(store->value_size, sizeof(struct outbox_setting));
    assert_int_equal(store->count, 11);
    assert_string_equal(store->values[0].name, "url");
    assert_string_equal(store->values[10].name, "password");
    assert_string_equal(outbox_setting_text(store, "table", ""), "events");
    assert_int_equal(outbox_setting_integer(store, "fast", 9), 1);
    assert_int_equal(outbox_setting_integer(store, "slots", 9), 4);
    assert_true(outbox_setting_number(store, "ratio", 9) > 0.49);
    assert_int_equal(outbox_setting_integer(store, "wait", 9), INT64_C(3000000000));
    assert_int_equal(outbox_setting_integer(store, "chunk", 9), 65536);
    assert_string_equal(outbox_setting_text(store, "shape", ""), "flat");
    assert_null(outbox_setting_find(store, "columns"));
    assert_null(outbox_setting_find(store, "password"));
    assert_int_equal(store->values[10].type, OUTBOX_OPTION_TEXT);
    loaded_clear(&loaded);
}

static void values_of_every_type_arrive(void **state)
{
    (void)state;
    struct loaded loaded;
    loaded_init_text(&loaded,
                     STORE(", \"url\": \"sample://h\", \"table\": \"s.t\", \"fast\": false,"
                           " \"slots\": -2, \"ratio\": 1, \"wait\": \"1h\", \"chunk\": 2048,"
                           " \"shape\": \"round\", \"columns\": {\"id\": \"a\", \"type\": \"b\"},"
                           " \"password\": \"p\""));
    const struct outbox_settings *store = store_of(&loaded);
    assert_string_equal(outbox_setting_text(store, "url", ""), "sample://h");
    assert_string_equal(outbox_setting_text(store, "table", ""), "s.t");
    assert_int_equal(outbox_setting_integer(store, "fast", 9), 0);
    assert_int_equal(outbox_setting_integer(store, "slots", 9), -2);
    assert_true(outbox_setting_number(store, "ratio", 9) > 0.99);
    assert_int_equal(outbox_setting_integer(store, "wait", 9), INT64_C(3600000000000));
    assert_int_equal(outbox_setting_integer(store, "chunk", 9), 2048);
    assert_string_equal(outbox_setting_text(store, "shape", ""), "round");
    const struct outbox_setting *columns = outbox_setting_find(store, "columns");
    assert_non_null(columns);
    assert_int_equal(columns->pair_count, 2);
    for (uint64_t i = 0; i < 2; i++) {
        bool is_id = strcmp(columns->pairs[i].name.data, "id") == 0;
        assert_string_equal(columns->pairs[i].name.data, is_id ? "id" : "type");
        assert_string_equal(columns->pairs[i].value.data, is_id ? "a" : "b");
        assert_int_equal(columns->pairs[i].value.len, 1);
    }
    loaded_clear(&loaded);
}

static void each_wrong_value_is_told_with_what_is_allowed(void **state)
{
    (void)state;
    assert_refused(STORE(", \"url\": \"\", \"table\": true, \"fast\": 1, \"slots\": 9,"
                         " \"ratio\": \"x\", \"wait\": \"1\", \"chunk\": \"1KB\","
                         " \"shape\": 3, \"columns\": {\"id\": 5, \"a.b\": null}"),
                   "pipelines[0].store.url: is empty, but this key is required",
                   "pipelines[0].store.table: found true, allowed is text in quotes",
                   "pipelines[0].store.fast: found 1, allowed is true or false",
                   "pipelines[0].store.slots: found 9, allowed is an integer from -2 to 8",
                   "pipelines[0].store.ratio: found \"x\", allowed is a number from 0 to 1",
                   "pipelines[0].store.wait: found \"1\", allowed is a duration from 1s to 1h "
                   "(written \"5ms\", \"1s\", \"3m\", \"24h\")",
                   "pipelines[0].store.chunk: found \"1KB\", allowed is a size from 1KiB to 1MiB "
                   "(written \"512KiB\", \"1MiB\" or plain bytes)",
                   "pipelines[0].store.shape: found 3, allowed is one of flat, round",
                   "pipelines[0].store.columns.id: found 5, allowed is text in quotes",
                   "pipelines[0].store.columns[\"a.b\"]: found null, allowed is text in quotes",
                   NULL);
}

static void a_number_with_a_fraction_is_no_integer_and_bounds_are_inclusive(void **state)
{
    (void)state;
    assert_refused(STORE(", \"url\": \"u\", \"slots\": 2.0"),
                   "pipelines[0].store.slots: found 2.0, allowed is an integer from -2 to 8", NULL);
    assert_accepted(STORE(", \"url\": \"u\", \"slots\": 8, \"wait\": \"1s\", \"chunk\": \"1MiB\","
                          " \"ratio\": 0"));
    assert_refused(STORE(", \"url\": \"u\", \"chunk\": -1"),
                   "pipelines[0].store.chunk: found -1, allowed is a size from 1KiB to 1MiB "
                   "(written \"512KiB\", \"1MiB\" or plain bytes)",
                   NULL);
}

static void a_refused_driver_is_a_mistake_with_the_loaders_reason(void **state)
{
    (void)state;
    assert_refused("{\"pipelines\": [{\"name\": \"orders\", \"store\": {\"driver\": \"holder\"},"
                   " \"publisher\": {\"driver\": \"noslot\"}, \"claim\": {\"mode\": \"hold\"}}]}",
                   "pipelines[0].publisher.driver: the publisher driver noslot was refused: it "
                   "lacks what every driver like it must have: publish (" TEST_DRIVERS
                   "/publisher-noslot.so)",
                   NULL);
}

static void a_missing_driver_is_a_mistake_with_those_there_are(void **state)
{
    (void)state;
    struct loaded loaded;
    loaded_init(&loaded,
                &(struct config_source){.text = "{\"pipelines\": [{\"name\": \"orders\","
                                                " \"store\": {\"driver\": \"sampler\", \"x\": 1},"
                                                " \"publisher\": {\"driver\": 3}}]}"});
    assert_int_equal(loaded.mistakes.count, 2);
    assert_non_null(strstr(loaded.mistakes.lines[0],
                           "pipelines[0].store.driver: found \"sampler\", but there is no such "
                           "store driver; did you mean \"sample\"? there is: "));
    assert_string_equal(loaded.mistakes.lines[1],
                        "pipelines[0].publisher.driver: found 3, allowed is text in quotes");
    loaded_clear(&loaded);
}

static void a_claim_mode_that_the_store_lacks_is_told_with_those_it_has(void **state)
{
    (void)state;
    assert_refused("{\"pipelines\": [{\"name\": \"orders\", \"store\": {\"driver\": \"holder\"},"
                   " \"publisher\": {\"driver\": \"sample\"}}]}",
                   "pipelines[0].claim.mode: found \"lease\", but the store driver holder can only "
                   "claim by: hold",
                   NULL);
}

static void a_folder_of_the_file_is_searched(void **state)
{
    (void)state;
    struct mistakes mistakes = {NULL, 0};
    struct plugins *plugins = plugins_new();
    assert_non_null(plugins);
    struct config *config =
        config_load(&(struct config_source){.text = "{\"relay\": {\"plugin_path\":"
                                                    " [\"" TEST_DRIVERS "\"]},"
                                                    " \"pipelines\": [{\"name\": \"orders\","
                                                    " \"store\": {\"driver\": \"sample\","
                                                    " \"url\": \"u\"},"
                                                    " \"publisher\": {\"driver\": \"sample\"}}]}"},
                    plugins, &mistakes);
    assert_non_null(config);
    config_free(&config);
    plugins_free(&plugins);
}

static void a_wrong_folder_is_told(void **state)
{
    (void)state;
    static const char *const set[] = {"relay.plugin_path=[\"\", 5]"};
    assert_source_refused(&(struct config_source){.text = PIPELINE(""), .set = set, .set_count = 1},
                          "relay.plugin_path[1]: found 5, allowed is text in quotes", NULL);
    static const char *const empty[] = {"relay.plugin_path=[\"\"]"};
    assert_source_refused(
        &(struct config_source){.text = PIPELINE(""), .set = empty, .set_count = 1},
        "relay.plugin_path[0]: found \"\", allowed is the path of a folder", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_all_keys_in_the_order_of_the_table_with_its_defaults),
        cmocka_unit_test(values_of_every_type_arrive),
        cmocka_unit_test(each_wrong_value_is_told_with_what_is_allowed),
        cmocka_unit_test(a_number_with_a_fraction_is_no_integer_and_bounds_are_inclusive),
        cmocka_unit_test(a_refused_driver_is_a_mistake_with_the_loaders_reason),
        cmocka_unit_test(a_missing_driver_is_a_mistake_with_those_there_are),
        cmocka_unit_test(a_claim_mode_that_the_store_lacks_is_told_with_those_it_has),
        cmocka_unit_test(a_folder_of_the_file_is_searched),
        cmocka_unit_test(a_wrong_folder_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
