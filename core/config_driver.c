/*
 * config_driver.c - the `store` and `publisher` objects of a pipeline
 * SPDX-License-Identifier: MIT
 */
#include "config_driver.h"
#include "config_schema.h"
#include "config_value.h"
#include "plugins.h"

static const char *const driver_children[] = {"driver", NULL};

static const struct outbox_option driver_option = {
    .name = "driver", .type = OUTBOX_OPTION_TEXT, .flags = OUTBOX_OPTION_REQUIRED};

static const struct outbox_plugin *driver_find(struct checker *checker,
                                               const struct json_path *path, const json_t *object,
                                               uint32_t kind, struct plugins *plugins)
{
    struct outbox_setting name;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    const struct json_path name_path = {path, driver_option.name, 0};
    const json_t *value = json_object_get(object, driver_option.name);
    if (!value) {
        (void)mistake(checker, &name_path, "missing; this key is required: the name of a %s driver",
                      kind == OUTBOX_KIND_STORE ? "store" : "publisher");
        return NULL;
    }
    if (!value_check(checker, &name_path, &driver_option, value, &name))
        return NULL;
    const struct outbox_plugin *plugin = plugins_find(plugins, kind, name.text, &error);
    if (!plugin)
        (void)mistake(checker, &name_path, "%s", error.text);
    return plugin;
}

bool driver_check(struct checker *checker, const struct json_path *path, const json_t *object,
                  uint32_t kind, struct plugins *plugins, struct driver_config *driver)
{
    driver->plugin = driver_find(checker, path, object, kind, plugins);
    if (!driver->plugin)
        return false;
    const struct config_section section = {.path = path->key,
                                           .help = driver->plugin->description,
                                           .options = driver->plugin->options,
                                           .option_size = driver->plugin->option_size,
                                           .option_count = driver->plugin->option_count,
                                           .children = driver_children};
    const struct outbox_settings *settings = section_check(checker, path, object, &section);
    if (!settings)
        return false;
    driver->settings = *settings;
    return !checker->failed;
}
