/*
 * config_value.c - one value, checked against the option that describes it
 * SPDX-License-Identifier: MIT
 */
#include "config_value.h"
#include "config_expand.h"
#include "config_read.h"
#include "units.h"

#include <stdio.h>
#include <string.h>

#define ALLOWED_TEXT 512
#define FOUND_TEXT 72

/* A value on its way to a setting. */
struct input {
    struct checker *checker;
    const struct json_path *path;
    const struct outbox_option *option;
    const json_t *value; /* what counts */
    const json_t *shown; /* as the file has it: an expanded text could hold a secret */
};

static bool refuse(const struct input *input)
{
    char allowed[ALLOWED_TEXT], found[FOUND_TEXT];
    bool secret = (input->option->flags & OUTBOX_OPTION_SECRET) != 0;
    return mistake(input->checker, input->path, "found %s%s, allowed is %s",
                   json_describe(input->shown, secret, found, sizeof found),
                   input->shown == input->value ? "" : " (after replacing its variables)",
                   option_allowed_text(input->option, allowed, sizeof allowed));
}

static bool in_range(const struct outbox_option *option, double value)
{
    bool unbounded = !(option->minimum < 0 || option->minimum > 0) &&
                     !(option->maximum < 0 || option->maximum > 0);
    return unbounded || (value >= option->minimum && value <= option->maximum);
}

static bool keep_integer(const struct input *input, int64_t value, struct outbox_setting *setting)
{
    if (!in_range(input->option, (double)value))
        return refuse(input);
    setting->integer = value;
    return true;
}

static bool check_number(const struct input *input, struct outbox_setting *setting)
{
    if (!json_is_number(input->value) || !in_range(input->option, json_number_value(input->value)))
        return refuse(input);
    setting->number = json_number_value(input->value);
    return true;
}

static bool check_duration(const struct input *input, struct outbox_setting *setting)
{
    int64_t value = 0;
    if (!json_is_string(input->value) || !duration_parse(json_string_value(input->value), &value))
        return refuse(input);
    return keep_integer(input, value, setting);
}

static bool check_size(const struct input *input, struct outbox_setting *setting)
{
    int64_t value = json_integer_value(input->value);
    if (json_is_string(input->value) ? !size_parse(json_string_value(input->value), &value)
                                     : !json_is_integer(input->value) || value < 0)
        return refuse(input);
    return keep_integer(input, value, setting);
}

static bool keep_text(const struct input *input, const char *text, struct outbox_setting *setting)
{
    if ((input->option->flags & OUTBOX_OPTION_REQUIRED) && !*text)
        return mistake(input->checker, input->path, "is empty, but this key is required");
    setting->text = config_memory_copy(input->checker->memory, text, strlen(text));
    return setting->text ? true : mistake_no_memory(input->checker);
}

struct choice_search {
    const char *wanted;
    bool found;
};

static void choice_compare(void *context, const char *choice)
{
    struct choice_search *search = context;
    search->found = search->found || strcmp(search->wanted, choice) == 0;
}

static bool check_choice(const struct input *input, struct outbox_setting *setting)
{
    if (!json_is_string(input->value))
        return refuse(input);
    struct choice_search search = {json_string_value(input->value), false};
    choices_each(input->option->choices, choice_compare, &search);
    return search.found ? keep_text(input, search.wanted, setting) : refuse(input);
}

/* The path in {"file": PATH}, NULL if `value` is not of that form. */
static const char *file_of(const json_t *value)
{
    if (json_object_size(value) != 1)
        return NULL;
    return json_string_value(json_object_get(value, "file"));
}

/* A text that may stand in a file of its own. */
static const char *text_or_file(const struct input *input)
{
    bool secret = (input->option->flags & OUTBOX_OPTION_SECRET) != 0;
    if (json_is_string(input->value))
        return expand_text(input->checker, input->path, json_string_value(input->value));
    const char *file = file_of(input->value);
    const char *as_written = file ? NULL : config_set_text(input->checker, input->path);
    if (as_written && !json_is_object(input->value) && !json_is_array(input->value))
        return expand_text(input->checker, input->path, as_written);
    if (!file) {
        (void)refuse(input);
        return NULL;
    }
    if (!secret) {
        (void)mistake(input->checker, input->path,
                      "found {\"file\": ...}, which is only for secrets and this key is none; "
                      "allowed is text in quotes");
        return NULL;
    }
    file = expand_text(input->checker, input->path, file);
    return file ? secret_read(input->checker, input->path, file) : NULL;
}

static bool check_text(const struct input *input, struct outbox_setting *setting)
{
    const char *text = text_or_file(input);
    return text && keep_text(input, text, setting);
}

static bool keep_pair(const struct input *input, struct outbox_pair *pair, const char *name)
{
    const char *value = text_or_file(input);
    if (!value)
        return false;
    pair->value = outbox_slice_of(value);
    if (!name)
        return true;
    const char *copy = config_memory_copy(input->checker->memory, name, strlen(name));
    if (!copy)
        return mistake_no_memory(input->checker);
    pair->name = outbox_slice_of(copy);
    return true;
}

/* The option of a single element of a map or list. */
static struct outbox_option element_of(const struct outbox_option *option)
{
    return (struct outbox_option){.name = option->name,
                                  .type = OUTBOX_OPTION_TEXT,
                                  .flags = option->flags & (uint32_t)OUTBOX_OPTION_SECRET};
}

static bool check_map(const struct input *input, struct outbox_setting *setting)
{
    if (!json_is_object(input->value))
        return refuse(input);
    const struct outbox_option element = element_of(input->option);
    struct outbox_pair *pairs =
        config_memory_take(input->checker->memory, json_object_size(input->value), sizeof *pairs);
    if (!pairs)
        return mistake_no_memory(input->checker);
    bool ok = true;
    size_t count = 0;
    json_t *object = (json_t *)input->value;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *name = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        const struct json_path path = {input->path, name, 0};
        const struct input one = {input->checker, &path, &element, value, value};
        ok &= keep_pair(&one, &pairs[count++], name);
    }
    setting->pairs = pairs;
    setting->pair_count = count;
    return ok;
}

static bool check_list(const struct input *input, struct outbox_setting *setting)
{
    if (!json_is_array(input->value))
        return refuse(input);
    const struct outbox_option element = element_of(input->option);
    size_t count = json_array_size(input->value);
    struct outbox_pair *pairs = config_memory_take(input->checker->memory, count, sizeof *pairs);
    if (!pairs)
        return mistake_no_memory(input->checker);
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(input->value, i);
        const struct json_path path = {input->path, NULL, i};
        const struct input one = {input->checker, &path, &element, value, value};
        ok &= keep_pair(&one, &pairs[i], NULL);
    }
    setting->pairs = pairs;
    setting->pair_count = count;
    return ok;
}

static bool check_scalar(const struct input *input, struct outbox_setting *setting)
{
    switch (input->option->type) {
    case OUTBOX_OPTION_BOOL:
        if (!json_is_boolean(input->value))
            return refuse(input);
        setting->integer = json_is_true(input->value);
        return true;
    case OUTBOX_OPTION_INTEGER:
        if (!json_is_integer(input->value))
            return refuse(input);
        return keep_integer(input, json_integer_value(input->value), setting);
    case OUTBOX_OPTION_NUMBER:
        return check_number(input, setting);
    case OUTBOX_OPTION_DURATION:
        return check_duration(input, setting);
    case OUTBOX_OPTION_SIZE:
        return check_size(input, setting);
    default:
        return check_choice(input, setting);
    }
}

/* A number or boolean cannot refer to a variable but as text: "${WORKERS:-2}" then counts as what
 * it expands to. */
static bool check_expanded(struct input *input, struct outbox_setting *setting)
{
    const char *text = expand_text(input->checker, input->path, json_string_value(input->shown));
    if (!text)
        return false;
    uint32_t type = input->option->type;
    bool is_json =
        type == OUTBOX_OPTION_BOOL || type == OUTBOX_OPTION_INTEGER || type == OUTBOX_OPTION_NUMBER;
    json_t *value = is_json ? json_loads(text, JSON_DECODE_ANY, NULL) : json_string(text);
    if (!value && is_json)
        value = json_null();
    if (!value)
        return mistake_no_memory(input->checker);
    input->value = value;
    bool ok = check_scalar(input, setting);
    json_decref(value);
    return ok;
}

bool value_check(struct checker *checker, const struct json_path *path,
                 const struct outbox_option *option, const json_t *value,
                 struct outbox_setting *setting)
{
    struct input input = {checker, path, option, value, value};
    bool ok;
    *setting = (struct outbox_setting){.name = option->name, .type = option->type};
    if (option->type == OUTBOX_OPTION_TEXT)
        ok = check_text(&input, setting);
    else if (option->type == OUTBOX_OPTION_MAP)
        ok = check_map(&input, setting);
    else if (option->type == CONFIG_OPTION_LIST)
        ok = check_list(&input, setting);
    else if (json_is_string(value) && expand_wanted(json_string_value(value)))
        ok = check_expanded(&input, setting);
    else
        ok = check_scalar(&input, setting);
    setting->is_set = ok;
    return ok;
}

bool value_default(struct checker *checker, const struct json_path *path,
                   const struct outbox_option *option, struct outbox_setting *setting)
{
    *setting = (struct outbox_setting){.name = option->name, .type = option->type};
    if (!option->default_value)
        return true;
    bool quoted = option_type_quoted(option->type);
    json_t *value = quoted ? json_string(option->default_value)
                           : json_loads(option->default_value, JSON_DECODE_ANY, NULL);
    bool ok = value ? value_check(checker, path, option, value, setting)
                    : mistake(checker, path, "the default %s is no JSON", option->default_value);
    json_decref(value);
    return ok;
}
