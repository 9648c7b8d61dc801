/*
 * config_section.c - one object of the file, checked against the table of its keys
 * SPDX-License-Identifier: MIT
 */
#include "config_schema.h"
#include "config_value.h"
#include "nearest.h"

#include <stdio.h>
#include <string.h>

#define HINT_TEXT 512
#define FOUND_TEXT 72

static const struct outbox_option *option_at(const struct config_section *section, size_t index)
{
    const char *options = (const char *)section->options;
    return (const struct outbox_option *)(const void *)(options + index * section->option_size);
}

static bool is_option(const struct config_section *section, const char *key)
{
    for (size_t i = 0; i < section->option_count; i++) {
        if (strcmp(option_at(section, i)->name, key) == 0)
            return true;
    }
    return false;
}

static bool is_child(const struct config_section *section, const char *key)
{
    for (size_t i = 0; section->children && section->children[i]; i++) {
        if (strcmp(section->children[i], key) == 0)
            return true;
    }
    return false;
}

static bool is_later_key(const struct config_section *section, const char *key)
{
    for (size_t i = 0; i < section->later_count; i++) {
        if (!section->later[i].value && strcmp(section->later[i].name, key) == 0)
            return true;
    }
    return false;
}

/* The entry that a value falls under, NULL if it is available. */
static const struct later_key *later_value(const struct config_section *section, const char *key,
                                           const char *value)
{
    for (size_t i = 0; i < section->later_count; i++) {
        const struct later_key *later = &section->later[i];
        if (later->value && strcmp(later->name, key) == 0 && strcmp(later->value, value) == 0)
            return later;
    }
    return NULL;
}

struct hint {
    struct nearest nearest;
    char *list;
    size_t size;
};

static void hint_offer(struct hint *hint, const char *word)
{
    nearest_offer(&hint->nearest, word);
    list_append(hint->list, hint->size, word);
}

static void hint_write(const struct hint *hint, char *text, size_t size)
{
    if (hint->nearest.best)
        (void)snprintf(text, size, "; did you mean \"%s\"?", hint->nearest.best);
    else
        (void)snprintf(text, size, "; allowed is %s", *hint->list ? hint->list : "nothing");
}

void section_hint(const char *wanted, const char *const *words, char *text, size_t size)
{
    char list[HINT_TEXT] = "";
    struct hint hint = {.list = list, .size = sizeof list};
    nearest_init(&hint.nearest, wanted);
    for (; *words; words++)
        hint_offer(&hint, *words);
    hint_write(&hint, text, size);
}

static void unknown_key(struct checker *checker, const struct json_path *path, const char *key,
                        const struct config_section *section)
{
    char list[HINT_TEXT] = "", text[HINT_TEXT + 32];
    struct hint hint = {.list = list, .size = sizeof list};
    nearest_init(&hint.nearest, key);
    for (size_t i = 0; section->children && section->children[i]; i++)
        hint_offer(&hint, section->children[i]);
    for (size_t i = 0; i < section->option_count; i++)
        hint_offer(&hint, option_at(section, i)->name);
    hint_write(&hint, text, sizeof text);
    (void)mistake(checker, path, "unknown key%s", text);
}

static void check_keys(struct checker *checker, const struct json_path *path, const json_t *object,
                       const struct config_section *section)
{
    json_t *keys = (json_t *)object;
    for (void *at = json_object_iter(keys); at; at = json_object_iter_next(keys, at)) {
        const char *key = json_object_iter_key(at);
        const struct json_path key_path = {path, key, 0};
        if (is_later_key(section, key))
            (void)mistake(checker, &key_path, "not available in this version; leave it out");
        else if (!is_option(section, key) && !is_child(section, key))
            unknown_key(checker, &key_path, key, section);
    }
}

static void refuse_later(struct checker *checker, const struct json_path *path, const json_t *value,
                         const struct outbox_option *option)
{
    char found[FOUND_TEXT], allowed[HINT_TEXT];
    (void)mistake(checker, path, "found %s, which is not available in this version; allowed is %s",
                  json_describe(value, false, found, sizeof found),
                  option_allowed_text(option, allowed, sizeof allowed));
}

static void check_option(struct checker *checker, const struct json_path *path,
                         const json_t *object, const struct config_section *section,
                         const struct outbox_option *option, struct outbox_setting *setting)
{
    const struct json_path value_path = {path, option->name, 0};
    const json_t *value = json_object_get(object, option->name);
    const struct later_key *later = NULL;
    *setting = (struct outbox_setting){.name = option->name, .type = option->type};
    if (!value && (option->flags & OUTBOX_OPTION_REQUIRED)) {
        char allowed[HINT_TEXT];
        (void)mistake(checker, &value_path, "missing; this key is required: %s",
                      option_allowed_text(option, allowed, sizeof allowed));
        return;
    }
    if (!value) {
        if (!value_default(checker, &value_path, option, setting))
            setting->is_set = 0;
        return;
    }
    if (json_is_string(value) && option->type == OUTBOX_OPTION_CHOICE)
        later = later_value(section, option->name, json_string_value(value));
    if (!later && value_check(checker, &value_path, option, value, setting) && setting->text)
        later = later_value(section, option->name, setting->text);
    if (later)
        refuse_later(checker, &value_path, value, option);
}

const struct outbox_settings *section_check(struct checker *checker, const struct json_path *path,
                                            const json_t *object,
                                            const struct config_section *section)
{
    struct outbox_settings *settings = config_memory_take(checker->memory, 1, sizeof *settings);
    struct outbox_setting *values =
        config_memory_take(checker->memory, section->option_count, sizeof *values);
    if (!settings || !values) {
        (void)mistake_no_memory(checker);
        return NULL;
    }
    *settings = (struct outbox_settings){.size = sizeof *settings,
                                         .values = values,
                                         .value_size = sizeof *values,
                                         .count = section->option_count};
    check_keys(checker, path, object, section);
    for (size_t i = 0; i < section->option_count; i++)
        check_option(checker, path, object, section, option_at(section, i), &values[i]);
    return settings;
}

const json_t *section_child(struct checker *checker, const struct json_path *parent_path,
                            const json_t *parent, const char *key)
{
    const json_t *child = json_object_get(parent, key);
    if (!child || json_is_object(child))
        return child;
    char found[FOUND_TEXT];
    const struct json_path path = {parent_path, key, 0};
    (void)mistake(checker, &path, "found %s, allowed is an object",
                  json_describe(child, false, found, sizeof found));
    return NULL;
}
