/*
 * checker.c - collects the mistakes of a configuration, each with its place
 * SPDX-License-Identifier: MIT
 */
#include "checker.h"
#include "text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_TEXT 512
#define FOUND_TEXT 72

static bool plain_key(const char *key)
{
    if (!*key)
        return false;
    for (; *key; key++) {
        if (!isalnum((unsigned char)*key) && *key != '_' && *key != '-')
            return false;
    }
    return true;
}

static size_t append(char *text, size_t size, size_t used, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static size_t append(char *text, size_t size, size_t used, const char *format, ...)
{
    if (used + 1 >= size)
        return used;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
    if (written < 0)
        return used;
    size_t end = used + (size_t)written;
    return end < size ? end : size - 1;
}

static size_t path_append(const struct json_path *path, char *text, size_t size)
{
    if (!path)
        return 0;
    size_t used = path_append(path->parent, text, size);
    if (!path->key)
        return append(text, size, used, "[%zu]", path->index);
    if (plain_key(path->key))
        return append(text, size, used, "%s%s", used ? "." : "", path->key);
    char quoted[FOUND_TEXT];
    json_t *key = json_string(path->key);
    used = append(text, size, used, "[%s]", json_describe(key, false, quoted, sizeof quoted));
    json_decref(key);
    return used;
}

const char *json_path_format(const struct json_path *path, char *text, size_t size)
{
    text[0] = '\0';
    (void)path_append(path, text, size);
    return text;
}

/* Cuts to size - 1 bytes, never inside a character, and shows that something is missing. */
static void copy_cut(char *text, size_t size, const char *from)
{
    size_t len = strlen(from);
    if (len < size) {
        memcpy(text, from, len + 1);
        return;
    }
    len = size - sizeof "...";
    while (len > 0 && ((unsigned char)from[len] & 0xC0) == 0x80)
        len--;
    memcpy(text, from, len);
    memcpy(text + len, "...", sizeof "...");
}

const char *json_describe(const json_t *value, bool secret, char *text, size_t size)
{
    if (!value || json_is_object(value) || json_is_array(value)) {
        copy_cut(text, size,
                 !value                 ? "a value that is not UTF-8"
                 : json_is_array(value) ? "an array"
                                        : "an object");
        return text;
    }
    if (secret) {
        copy_cut(text, size, "(secret)");
        return text;
    }
    char *dumped = json_dumps(value, JSON_ENCODE_ANY);
    copy_cut(text, size, dumped ? dumped : "a value");
    free(dumped);
    return text;
}

void list_append(char *text, size_t size, const char *word)
{
    size_t used = strlen(text);
    (void)append(text, size, used, "%s%s", used ? ", " : "", word);
}

/* One line, whatever bytes a key or an argument brought in. */
static char *line_new(const char *raw)
{
    const char *at = raw, *end = raw + strlen(raw);
    size_t len = 0;
    /* No byte becomes more than four. */
    char *line = malloc((size_t)(end - at) * 4 + TEXT_ESCAPED_MAX);
    while (line && at < end) {
        char escaped[TEXT_ESCAPED_MAX];
        size_t count = text_escape_plain(&at, end, escaped);
        memcpy(line + len, escaped, count);
        len += count;
    }
    if (line)
        line[len] = '\0';
    return line;
}

static void note(struct mistakes *mistakes, const char *path, const char *text)
{
    char *raw = NULL;
    if (asprintf(&raw, "%s%s%s", path, *path ? ": " : "", text) < 0)
        return;
    char *line = line_new(raw);
    free(raw);
    char **lines = line ? reallocarray(mistakes->lines, mistakes->count + 1, sizeof *lines) : NULL;
    if (!lines) {
        free(line);
        return;
    }
    lines[mistakes->count++] = line;
    mistakes->lines = lines;
}

bool mistake(struct checker *checker, const struct json_path *path, const char *format, ...)
{
    char place[PATH_TEXT];
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int written = vasprintf(&text, format, arguments);
    va_end(arguments);
    checker->failed = true;
    if (written < 0)
        return false;
    note(checker->mistakes, json_path_format(path, place, sizeof place), text);
    free(text);
    return false;
}

bool mistake_no_memory(struct checker *checker)
{
    return mistake(checker, NULL, "there is not enough memory to read the configuration");
}

void mistakes_clear(struct mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count; i++)
        free(mistakes->lines[i]);
    free(mistakes->lines);
    *mistakes = (struct mistakes){NULL, 0};
}
