/*
 * json_settings.c - settings of any driver from JSON, as the relay would check them
 * SPDX-License-Identifier: MIT
 */
#include "json_settings.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* After those that it needs. */
#include <cmocka.h>

struct json_settings {
    struct outbox_settings view;
    struct outbox_setting *values;
    struct outbox_pair **maps; /* of each value, NULL for all but maps */
    json_t *given;             /* the texts are its */
};

struct unit {
    const char *name;
    double factor;
};

static const struct unit durations[] = {{"ns", 1},       {"us", 1e3},       {"ms", 1e6}, {"s", 1e9},
                                        {"m", 60 * 1e9}, {"h", 3600 * 1e9}, {NULL, 0}};
static const struct unit sizes[] = {
    {"B", 1}, {"KiB", 1024}, {"MiB", 1024.0 * 1024}, {"GiB", 1024.0 * 1024 * 1024}, {NULL, 0}};

static int64_t measure(const char *name, const char *text, const struct unit *units)
{
    char *unit;
    double number = strtod(text, &unit);
    if (*unit == '\0')
        return (int64_t)number;
    for (; units->name; units++) {
        if (strcmp(unit, units->name) == 0)
            return (int64_t)(number * units->factor);
    }
    fail_msg("%s: %s has a unit that this test does not know", name, text);
    return 0;
}

static void set_text(struct outbox_setting *setting, const char *text)
{
    switch (setting->type) {
    case OUTBOX_OPTION_BOOL:
        setting->integer = strcmp(text, "true") == 0;
        return;
    case OUTBOX_OPTION_INTEGER:
        setting->integer = strtoll(text, NULL, 10);
        return;
    case OUTBOX_OPTION_NUMBER:
        setting->number = strtod(text, NULL);
        return;
    case OUTBOX_OPTION_DURATION:
        setting->integer = measure(setting->name, text, durations);
        return;
    case OUTBOX_OPTION_SIZE:
        setting->integer = measure(setting->name, text, sizes);
        return;
    case OUTBOX_OPTION_MAP: /* a default of a map is the empty one */
        return;
    default:
        setting->text = text;
    }
}

static struct outbox_pair *set_map(struct outbox_setting *setting, json_t *object)
{
    struct outbox_pair *pairs = calloc(json_object_size(object) + 1, sizeof(*pairs));
    const char *name;
    json_t *value;
    assert_non_null(pairs);
    json_object_foreach(object, name, value)
    {
        struct outbox_pair *pair = &pairs[setting->pair_count++];
        pair->name = outbox_slice_of(name);
        pair->value = outbox_slice_of(json_string_value(value));
        if (!pair->value.data)
            fail_msg("%s.%s is no text", setting->name, name);
    }
    setting->pairs = pairs;
    return pairs;
}

static struct outbox_pair *set_json(struct outbox_setting *setting, json_t *value)
{
    setting->is_set = 1;
    if (json_is_object(value) && setting->type == OUTBOX_OPTION_MAP)
        return set_map(setting, value);
    if (json_is_string(value)) {
        set_text(setting, json_string_value(value));
    } else if (json_is_boolean(value) && setting->type == OUTBOX_OPTION_BOOL) {
        setting->integer = json_is_true(value);
    } else if (json_is_number(value)) {
        setting->number = json_number_value(value);
        setting->integer = (int64_t)setting->number;
    } else {
        fail_msg("%s is of a type that this test does not know", setting->name);
    }
    return NULL;
}

struct json_settings *json_settings_new(const struct outbox_plugin *plugin, const char *text)
{
    struct json_settings *settings = calloc(1, sizeof(*settings));
    json_error_t error;
    assert_non_null(settings);
    settings->given = json_loads(text, JSON_ALLOW_NUL, &error);
    if (!json_is_object(settings->given))
        fail_msg("%s is no JSON object: %s", text, error.text);
    settings->values = calloc(plugin->option_count + 1, sizeof(*settings->values));
    settings->maps = calloc(plugin->option_count + 1, sizeof(struct outbox_pair *));
    assert_true(settings->values && settings->maps);
    size_t known = json_object_get(settings->given, "driver") != NULL;
    for (uint64_t i = 0; i < plugin->option_count; i++) {
        const struct outbox_option *option =
            (const void *)((const char *)plugin->options + i * plugin->option_size);
        struct outbox_setting *setting = &settings->values[i];
        json_t *value = json_object_get(settings->given, option->name);
        *setting = (struct outbox_setting){.name = option->name, .type = option->type};
        if (option->default_value) {
            setting->is_set = 1;
            set_text(setting, option->default_value);
        }
        if (value) {
            known++;
            settings->maps[i] = set_json(setting, value);
        }
    }
    assert_int_equal(known, json_object_size(settings->given));
    settings->view = (struct outbox_settings){.size = sizeof(settings->view),
                                              .values = settings->values,
                                              .value_size = sizeof(settings->values[0]),
                                              .count = plugin->option_count};
    return settings;
}

void json_settings_free(struct json_settings **settings)
{
    if (!*settings)
        return;
    for (uint64_t i = 0; i < (*settings)->view.count; i++)
        free((*settings)->maps[i]);
    free((*settings)->maps);
    free((*settings)->values);
    json_decref((*settings)->given);
    free(*settings);
    *settings = NULL;
}

const struct outbox_settings *json_settings_view(const struct json_settings *settings)
{
    return &settings->view;
}
