/*
 * headers_oracle.c - the header parser held against another JSON parser
 * SPDX-License-Identifier: MIT
 */
#include "headers_oracle.h"

#include "headers.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ORACLE_FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL)

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!text[i] || !strchr(" \t\r\n", text[i]))
            return false;
    }
    return true;
}

static bool is_outside(const struct outbox_slice slice, const char *text, size_t len)
{
    return slice.data < text || slice.data + slice.len > text + len;
}

/* A value that is no string is a piece of the text itself, which says the same as in its place. */
static const char *compare_text(const json_t *expected, struct outbox_slice value, const char *text,
                                size_t len)
{
    json_error_t error;
    if (is_outside(value, text, len))
        return "a value that is no string was copied";
    json_t *read = json_loadb(value.data, value.len, ORACLE_FLAGS, &error);
    if (!read)
        return "the text of a value is no JSON";
    bool is_equal = json_equal(read, expected);
    json_decref(read);
    return is_equal ? NULL : "the text of a value is another one's";
}

static const char *compare_pair(const json_t *object, const struct outbox_pair *pair,
                                const char *text, size_t len)
{
    char *name = strndup(pair->name.data, pair->name.len);
    if (!name)
        return NULL;
    const json_t *expected = json_object_get(object, name);
    free(name);
    if (!expected)
        return "a name that is not there";
    if (!json_is_string(expected))
        return compare_text(expected, pair->value, text, len);
    if (json_string_length(expected) != pair->value.len ||
        memcmp(json_string_value(expected), pair->value.data, pair->value.len) != 0)
        return "a string value differs";
    return NULL;
}

static const char *compare_pairs(const json_t *object, const struct outbox_pair *pairs,
                                 uint64_t count, const char *text, size_t len)
{
    if (count != json_object_size(object))
        return "the number of headers differs";
    for (uint64_t i = 0; i < count; i++) {
        const char *difference = compare_pair(object, &pairs[i], text, len);
        if (difference)
            return difference;
    }
    return NULL;
}

static const char *judge_accepted(const json_t *oracle, const json_error_t *error,
                                  const struct outbox_pair *pairs, uint64_t count, const char *text,
                                  size_t len)
{
    if (oracle)
        return json_is_object(oracle) ? compare_pairs(oracle, pairs, count, text, len)
                                      : "something else than an object was accepted";
    if (is_blank(text, len) && count == 0)
        return NULL;
    enum json_error_code code = json_error_code(error);
    if (code == json_error_numeric_overflow || code == json_error_null_byte_in_key)
        return NULL;
    return "accepted what is no JSON";
}

static const char *judge_refused(const json_t *oracle, const char *why)
{
    if (!why)
        return "refused without a reason";
    if (strncmp(why, "headers are not a JSON object", 29) != 0)
        return "refused with another sentence";
    if (!json_is_object(oracle))
        return NULL;
    if (strstr(why, "an empty name") && json_object_get(oracle, ""))
        return NULL;
    return strstr(why, "too many values within") ? NULL : "refused a JSON object";
}

const char *headers_disagreement(const char *text, size_t len, bool *accepted)
{
    struct arena arena;
    struct outbox_pair *pairs;
    uint64_t count;
    const char *why = NULL, *difference = NULL;
    json_error_t error = {0};

    arena_init(&arena, 256);
    enum header_status status =
        headers_parse((struct outbox_slice){text, len}, 0, &arena, &pairs, &count, &why);
    json_t *oracle =
        len > 0 && memchr(text, '\0', len) ? NULL : json_loadb(text, len, ORACLE_FLAGS, &error);
    if (status == HEADERS_OK)
        difference = judge_accepted(oracle, &error, pairs, count, text, len);
    else if (status == HEADERS_INVALID)
        difference = pairs || count ? "refused and still gave headers" : judge_refused(oracle, why);
    if (accepted)
        *accepted = status == HEADERS_OK;
    json_decref(oracle);
    arena_clear(&arena);
    return difference;
}
