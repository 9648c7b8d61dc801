/*
 * test_plugins.c - drivers are found, brought to this relay's version, or refused with the reason
 * SPDX-License-Identifier: MIT
 */
#include "configuration.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct plugins *test_plugins(void)
{
    assert_int_equal(unsetenv("OUTBOX_PLUGIN_PATH"), 0);
    struct plugins *plugins = plugins_new();
    assert_non_null(plugins);
    plugins_add_folder(plugins, TEST_DRIVERS);
    return plugins;
}

static const struct outbox_plugin *find(struct plugins *plugins, uint32_t kind, const char *name)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    const struct outbox_plugin *plugin = plugins_find(plugins, kind, name, &error);
    if (!plugin)
        fail_msg("%s", error.text);
    return plugin;
}

/* Fails unless the file is refused with this reason, and says so in both ways of asking. */
static void assert_reason(uint32_t kind, const char *name, const char *reason)
{
    struct plugins *plugins = test_plugins();
    struct outbox_error error = OUTBOX_ERROR_INIT;
    char expected[1024], file[512];
    const char *kind_text = kind == OUTBOX_KIND_STORE ? "store" : "publisher";
    (void)snprintf(file, sizeof file, "%s/%s-%s.so", TEST_DRIVERS, kind_text, name);
    (void)snprintf(expected, sizeof expected, "the %s driver %s was refused: %s (%s)", kind_text,
                   name, reason, file);
    assert_null(plugins_find(plugins, kind, name, &error));
    expected[sizeof error.text - 1] = '\0'; /* a long folder is cut */
    assert_string_equal(error.text, expected);

    size_t count = 0, seen = 0;
    const struct plugin_file *files = plugins_all(plugins, &count);
    for (size_t i = 0; i < count; i++) {
        if (files[i].kind != kind || strcmp(files[i].name, name) != 0)
            continue;
        seen++;
        assert_null(files[i].plugin);
        assert_string_equal(files[i].refusal, reason);
        assert_string_equal(files[i].path, file);
    }
    assert_int_equal(seen, 1);
    plugins_free(&plugins);
}

static void a_driver_is_found_with_its_keys(void **state)
{
    (void)state;
    struct plugins *plugins = test_plugins();
    const struct outbox_plugin *store = find(plugins, OUTBOX_KIND_STORE, "sample");
    assert_string_equal(store->description, "A sample.");
    assert_int_equal(store->capabilities, OUTBOX_STORE_LEASE);
    assert_int_equal(store->option_count, 11);
    assert_string_equal(plugin_option(store, 10)->name, "password");
    assert_null(store->publisher);
    const struct outbox_plugin *publisher = find(plugins, OUTBOX_KIND_PUBLISHER, "sample");
    assert_int_equal(publisher->publisher->ping(NULL, 0, NULL), OUTBOX_OK);
    assert_null(publisher->publisher->flush);
    assert_ptr_equal(find(plugins, OUTBOX_KIND_STORE, "sample"), store);
    plugins_free(&plugins);
}

static void a_store_built_against_shorter_tables_loads_with_the_missing_as_null(void **state)
{
    (void)state;
    struct plugins *plugins = test_plugins();
    const struct outbox_plugin *older = find(plugins, OUTBOX_KIND_STORE, "older");
    assert_int_equal(older->size, sizeof *older);
    assert_int_equal(older->store->size, sizeof *older->store);
    assert_non_null(older->store->abandon);
    assert_null(older->store->enqueue);
    assert_null(older->store->stats);
    assert_null(older->store->wake_arm);
    assert_null(older->store->wake_disarm);
    assert_null(older->store->partitions);
    assert_null(older->publisher);
    assert_int_equal(older->option_count, 0);
    plugins_free(&plugins);
}

static void a_store_built_against_longer_tables_of_a_newer_minor_loads(void **state)
{
    (void)state;
    struct plugins *plugins = test_plugins();
    const struct outbox_plugin *newer = find(plugins, OUTBOX_KIND_STORE, "newer");
    assert_int_equal(newer->abi_minor, OUTBOX_ABI_MINOR + 1);
    assert_int_equal(newer->size, sizeof *newer);
    assert_int_equal(newer->store->size, sizeof *newer->store);
    assert_int_equal(newer->option_count, 2);
    assert_int_equal(newer->option_size, sizeof(struct outbox_option));
    assert_string_equal(plugin_option(newer, 0)->default_value, "one");
    assert_string_equal(plugin_option(newer, 1)->name, "second");
    assert_string_equal(plugin_option(newer, 1)->default_value, "two");
    plugins_free(&plugins);
}

static void a_newer_major_is_refused_by_name_with_both_versions(void **state)
{
    (void)state;
    assert_reason(OUTBOX_KIND_PUBLISHER, "newmajor",
                  "it was built for version 2.3 of the driver interface, this relay has 1.5: "
                  "install a driver and a relay of the same major version");
}

static void a_file_that_is_no_shared_object_is_refused(void **state)
{
    (void)state;
    assert_reason(OUTBOX_KIND_PUBLISHER, "notelf",
                  "it cannot be loaded: it is too short for a shared object");
}

static void a_shared_object_without_the_symbol_is_refused(void **state)
{
    (void)state;
    assert_reason(OUTBOX_KIND_PUBLISHER, "nosymbol",
                  "it is no driver: it does not export the symbol outbox_plugin_entry");
}

static void a_missing_operation_is_named(void **state)
{
    (void)state;
    assert_reason(OUTBOX_KIND_PUBLISHER, "noslot",
                  "it lacks what every driver like it must have: publish");
    assert_reason(OUTBOX_KIND_PUBLISHER, "nothing",
                  "its descriptor lacks the table of a publisher's operations");
}

static void the_operations_that_a_capability_asks_for_are_named(void **state)
{
    (void)state;
    assert_reason(OUTBOX_KIND_STORE, "careless",
                  "it lacks what every driver like it must have: renew, wake_arm, wake_disarm");
}

static void a_driver_that_refuses_the_relay_tells_why(void **state)
{
    (void)state;
    assert_reason(OUTBOX_KIND_PUBLISHER, "refusing",
                  "it refuses this relay: this machine has no tape drive");
}

static void kind_and_name_must_be_those_of_the_file(void **state)
{
    (void)state;
    assert_reason(OUTBOX_KIND_PUBLISHER, "wrongkind",
                  "the file is called a publisher, but the driver says that its kind is store");
    assert_reason(OUTBOX_KIND_PUBLISHER, "misnamed",
                  "the driver says that its name is \"original\": call the file "
                  "publisher-original.so");
}

static void an_incomplete_descriptor_is_refused(void **state)
{
    (void)state;
    assert_reason(OUTBOX_KIND_PUBLISHER, "noversion", "its descriptor lacks its version");
    assert_reason(OUTBOX_KIND_PUBLISHER, "nodefault",
                  "the default of its key \"slots\" is wrong: found 9, allowed is an integer from "
                  "1 to 8");
    assert_reason(OUTBOX_KIND_PUBLISHER, "nohelp",
                  "its property number 2 lacks a name or a help text");
}

static void refused_drivers_leave_the_others_loadable_and_the_list_is_sorted(void **state)
{
    (void)state;
    static const char *const good[] = {"holder", "newer", "older", "sample", "mailer", "sample"};
    struct plugins *plugins = test_plugins();
    size_t count = 0, loaded = 0;
    const struct plugin_file *files = plugins_all(plugins, &count);
    assert_non_null(files);
    for (size_t i = 0; i < count; i++) {
        assert_true((files[i].plugin == NULL) == (files[i].refusal != NULL));
        if (i > 0 && files[i].kind == files[i - 1].kind)
            assert_true(strcmp(files[i - 1].name, files[i].name) < 0);
        if (!files[i].plugin || strncmp(files[i].path, TEST_DRIVERS, strlen(TEST_DRIVERS)) != 0)
            continue;
        assert_true(loaded < sizeof good / sizeof good[0]);
        assert_string_equal(files[i].name, good[loaded++]);
    }
    assert_int_equal(loaded, sizeof good / sizeof good[0]);
    plugins_free(&plugins);
}

static void a_driver_that_is_not_there_is_told_with_those_that_are(void **state)
{
    (void)state;
    struct plugins *plugins = test_plugins();
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_null(plugins_find(plugins, OUTBOX_KIND_STORE, "sampel", &error));
    assert_non_null(strstr(error.text, "found \"sampel\", but there is no such store driver; did "
                                       "you mean \"sample\"? there is: "));
    assert_non_null(strstr(error.text, "(looked for store-NAME.so in "));
    static const char *const names[] = {"careless", "holder", "newer", "older", "sample"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(strstr(error.text, "there is: "), names[i]));
    plugins_free(&plugins);
}

static void a_name_cannot_lead_out_of_the_folders(void **state)
{
    (void)state;
    struct plugins *plugins = test_plugins();
    struct outbox_error error = OUTBOX_ERROR_INIT;
    assert_null(plugins_find(plugins, OUTBOX_KIND_STORE, "x/../store-sample", &error));
    assert_null(plugins_find(plugins, OUTBOX_KIND_STORE, "", &error));
    assert_non_null(strstr(error.text, "found what is not a driver's name, allowed is a-z 0-9 -"));
    plugins_free(&plugins);
}

static bool is_mapped(const char *file)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", TEST_DRIVERS, file);
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    if (object)
        (void)dlclose(object);
    return object != NULL;
}

/* Runs first: a driver stays in memory once it has been loaded. */
static void finding_a_driver_loads_no_other(void **state)
{
    (void)state;
    struct plugins *plugins = test_plugins();
    assert_false(is_mapped("store-holder.so"));
    (void)find(plugins, OUTBOX_KIND_STORE, "holder");
    assert_true(is_mapped("store-holder.so"));
    assert_false(is_mapped("store-sample.so"));
    assert_false(is_mapped("publisher-sample.so"));
    plugins_free(&plugins);
    assert_true(is_mapped("store-holder.so"));
}

static void the_first_folder_wins_and_the_environment_comes_after_those_added(void **state)
{
    (void)state;
    char folder[] = "/tmp/outbox-plugins-XXXXXX", link[64], target[512];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(link, sizeof link, "%s/store-sample.so", folder);
    (void)snprintf(target, sizeof target, "%s/store-sample.so", TEST_DRIVERS);
    assert_int_equal(symlink(target, link), 0);
    assert_int_equal(setenv("OUTBOX_PLUGIN_PATH", "/nonexistent::" TEST_DRIVERS, 1), 0);

    struct plugins *plugins = plugins_new();
    assert_non_null(plugins);
    plugins_add_folder(plugins, folder);
    plugins_add_folder(plugins, folder);
    (void)find(plugins, OUTBOX_KIND_STORE, "sample");
    (void)find(plugins, OUTBOX_KIND_STORE, "holder");
    size_t count = 0, seen = 0;
    const struct plugin_file *files = plugins_all(plugins, &count);
    for (size_t i = 0; i < count; i++) {
        if (files[i].kind == OUTBOX_KIND_STORE && strcmp(files[i].name, "sample") == 0) {
            seen++;
            assert_string_equal(files[i].path, link);
        }
    }
    assert_int_equal(seen, 1);
    plugins_free(&plugins);
    assert_int_equal(unsetenv("OUTBOX_PLUGIN_PATH"), 0);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finding_a_driver_loads_no_other),
        cmocka_unit_test(a_driver_is_found_with_its_keys),
        cmocka_unit_test(a_store_built_against_shorter_tables_loads_with_the_missing_as_null),
        cmocka_unit_test(a_store_built_against_longer_tables_of_a_newer_minor_loads),
        cmocka_unit_test(a_newer_major_is_refused_by_name_with_both_versions),
        cmocka_unit_test(a_file_that_is_no_shared_object_is_refused),
        cmocka_unit_test(a_shared_object_without_the_symbol_is_refused),
        cmocka_unit_test(a_missing_operation_is_named),
        cmocka_unit_test(the_operations_that_a_capability_asks_for_are_named),
        cmocka_unit_test(a_driver_that_refuses_the_relay_tells_why),
        cmocka_unit_test(kind_and_name_must_be_those_of_the_file),
        cmocka_unit_test(an_incomplete_descriptor_is_refused),
        cmocka_unit_test(refused_drivers_leave_the_others_loadable_and_the_list_is_sorted),
        cmocka_unit_test(a_driver_that_is_not_there_is_told_with_those_that_are),
        cmocka_unit_test(a_name_cannot_lead_out_of_the_folders),
        cmocka_unit_test(the_first_folder_wins_and_the_environment_comes_after_those_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
