/*
 * config_allowed.c - says what an option allows
 * SPDX-License-Identifier: MIT
 */
#include "config_value.h"
#include "units.h"

#include <stdio.h>
#include <string.h>

#define RANGE_TEXT 256

struct type_words {
    uint32_t type;
    const char *name;    /* on the reference page */
    const char *allowed; /* in a mistake */
    const char *example; /* "" where there is nothing to explain */
};

static const struct type_words type_words[] = {
    {OUTBOX_OPTION_TEXT, "text", "text in quotes", ""},
    {OUTBOX_OPTION_BOOL, "boolean", "true or false", ""},
    {OUTBOX_OPTION_INTEGER, "integer", "an integer", ""},
    {OUTBOX_OPTION_NUMBER, "number", "a number", ""},
    {OUTBOX_OPTION_DURATION, "duration", "a duration",
     " (written \"5ms\", \"1s\", \"3m\", \"24h\")"},
    {OUTBOX_OPTION_SIZE, "size", "a size", " (written \"512KiB\", \"1MiB\" or plain bytes)"},
    {OUTBOX_OPTION_CHOICE, "choice", "one of", ""},
    {OUTBOX_OPTION_MAP, "map", "an object whose values are text", ""},
    {CONFIG_OPTION_LIST, "list", "an array of texts", ""},
};

static const struct type_words *words_of(uint32_t type)
{
    for (size_t i = 0; i < sizeof type_words / sizeof type_words[0]; i++) {
        if (type_words[i].type == type)
            return &type_words[i];
    }
    return NULL;
}

bool option_type_known(uint32_t type)
{
    return type != CONFIG_OPTION_LIST && words_of(type) != NULL;
}

bool option_type_quoted(uint32_t type)
{
    return type == OUTBOX_OPTION_TEXT || type == OUTBOX_OPTION_CHOICE ||
           type == OUTBOX_OPTION_DURATION || type == OUTBOX_OPTION_SIZE;
}

const char *option_type_text(uint32_t type)
{
    const struct type_words *words = words_of(type);
    return words ? words->name : "unknown";
}

void choices_each(const char *choices, void (*each)(void *context, const char *choice),
                  void *context)
{
    char choice[128];
    for (const char *at = choices; at && *at;) {
        size_t len = strcspn(at, "|");
        (void)snprintf(choice, sizeof choice, "%.*s", (int)len, at);
        each(context, choice);
        at += len + (at[len] == '|');
    }
}

struct list {
    char *text;
    size_t size;
};

static void list_choice(void *context, const char *choice)
{
    struct list *list = context;
    list_append(list->text, list->size, choice);
}

static const char *bound_text(uint32_t type, double bound, char text[UNITS_TEXT])
{
    if (type == OUTBOX_OPTION_DURATION)
        return duration_format((int64_t)bound, text);
    if (type == OUTBOX_OPTION_SIZE)
        return size_format((int64_t)bound, text);
    (void)snprintf(text, UNITS_TEXT, type == OUTBOX_OPTION_INTEGER ? "%.0f" : "%g", bound);
    return text;
}

const char *option_range_text(const struct outbox_option *option, char *text, size_t size)
{
    text[0] = '\0';
    if (option->type == OUTBOX_OPTION_CHOICE) {
        struct list list = {text, size};
        choices_each(option->choices, list_choice, &list);
    } else if (option->minimum < 0 || option->minimum > 0 || option->maximum < 0 ||
               option->maximum > 0) {
        char low[UNITS_TEXT], high[UNITS_TEXT];
        (void)snprintf(text, size, "%s to %s", bound_text(option->type, option->minimum, low),
                       bound_text(option->type, option->maximum, high));
    }
    return text;
}

const char *option_allowed_text(const struct outbox_option *option, char *text, size_t size)
{
    char range[RANGE_TEXT];
    const struct type_words *words = words_of(option->type);
    bool is_choice = option->type == OUTBOX_OPTION_CHOICE;
    (void)option_range_text(option, range, sizeof range);
    bool has_file = option->type == OUTBOX_OPTION_TEXT && (option->flags & OUTBOX_OPTION_SECRET);
    (void)snprintf(text, size, "%s%s%s%s%s", words ? words->allowed : "a value",
                   !*range     ? ""
                   : is_choice ? " "
                               : " from ",
                   range, words ? words->example : "", has_file ? " or {\"file\": PATH}" : "");
    return text;
}
