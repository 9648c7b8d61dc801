/*
 * config_set.c - --set a.b.0.c=VALUE
 * SPDX-License-Identifier: MIT
 */
#include "config_read.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_TEXT 256

/* An assignment being applied. No message shows the value: it may be a secret. */
struct assignment {
    struct checker *checker;
    const char *text; /* of --set, its path being the first path_len bytes */
    int path_len;
};

static bool refuse(const struct assignment *assignment, const char *why)
{
    return mistake(assignment->checker, NULL, "--set %.*s: %s", assignment->path_len,
                   assignment->text, why);
}

/* Takes the next segment of a path off; false if it is empty or too long. */
static bool segment_take(const char **at, const char *end, char segment[SEGMENT_TEXT])
{
    size_t len = 0;
    while (*at < end && **at != '.') {
        if (**at == '\\' && *at + 1 < end)
            (*at)++;
        if (len + 1 >= SEGMENT_TEXT)
            return false;
        segment[len++] = *(*at)++;
    }
    segment[len] = '\0';
    return len > 0;
}

static bool is_index(const char *segment)
{
    size_t len = strlen(segment);
    return len > 0 && len < 10 && strspn(segment, "0123456789") == len;
}

/* The element of a container, NULL if it is not there. */
static json_t *element_get(const json_t *container, const char *segment)
{
    if (json_is_object(container))
        return json_object_get(container, segment);
    return json_array_get(container, strtoul(segment, NULL, 10));
}

static bool element_put(const struct assignment *assignment, json_t *container, const char *segment,
                        json_t *value)
{
    if (!value)
        return refuse(assignment, "the value is not UTF-8 text");
    int failed;
    size_t index = json_is_array(container) ? strtoul(segment, NULL, 10) : 0;
    if (json_is_object(container))
        failed = json_object_set_new(container, segment, value);
    else if (index == json_array_size(container))
        failed = json_array_append_new(container, value);
    else
        failed = json_array_set_new(container, index, value);
    return failed ? refuse(assignment, "the path is not UTF-8 text") : true;
}

/* Whether `segment` names a place in `container`. */
static bool place_check(const struct assignment *assignment, const json_t *container,
                        const char *segment)
{
    char why[SEGMENT_TEXT + 128];
    if (json_is_object(container))
        return true;
    if (!json_is_array(container)) {
        (void)snprintf(why, sizeof why,
                       "\"%s\" cannot be set inside a value that is neither object nor array",
                       segment);
        return refuse(assignment, why);
    }
    size_t count = json_array_size(container);
    if (is_index(segment) && strtoul(segment, NULL, 10) <= count)
        return true;
    (void)snprintf(why, sizeof why, "\"%s\" is no place in an array of %zu; %zu appends", segment,
                   count, count);
    return refuse(assignment, why);
}

static json_t *value_parse(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    return value ? value : json_string(text);
}

/* Walks down to the container of the last segment, making what is missing on the way. */
static bool assign(const struct assignment *assignment, json_t *document, const char *value)
{
    char segment[SEGMENT_TEXT];
    json_t *container = document;
    const char *at = assignment->text, *end = at + assignment->path_len;
    if (!segment_take(&at, end, segment))
        return refuse(assignment, "a part of the path is empty or too long");
    while (at < end) {
        char next[SEGMENT_TEXT];
        at++;
        if (!segment_take(&at, end, next))
            return refuse(assignment, "a part of the path is empty or too long");
        if (!place_check(assignment, container, segment))
            return false;
        if (!element_get(container, segment) &&
            !element_put(assignment, container, segment,
                         is_index(next) ? json_array() : json_object()))
            return false;
        container = element_get(container, segment);
        memcpy(segment, next, sizeof segment);
    }
    return place_check(assignment, container, segment) &&
           element_put(assignment, container, segment, value_parse(value));
}

bool config_set(struct checker *checker, json_t *document, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    if (!equals)
        return mistake(checker, NULL,
                       "--set %s: has no \"=\"; write it as pipelines.0.claim.batch_size=100",
                       assignment);
    const struct assignment one = {checker, assignment, (int)(equals - assignment)};
    return assign(&one, document, equals + 1);
}

/* Takes what names `path` off the front of an assignment's path; false if that names another. One
 * that ends early names what `path` lies in: then *at is `end`. */
static bool path_take(const char **at, const char *end, const struct json_path *path)
{
    char segment[SEGMENT_TEXT];
    if (path->parent) {
        if (!path_take(at, end, path->parent))
            return false;
        if (*at == end)
            return true;
        (*at)++;
    }
    if (!segment_take(at, end, segment))
        return false;
    if (path->key)
        return strcmp(segment, path->key) == 0;
    return is_index(segment) && strtoul(segment, NULL, 10) == path->index;
}

/* Whether the assignment's path is as long as `path`. */
static bool is_whole(const char *at, const char *end, const struct json_path *path)
{
    for (; at < end; path = path ? path->parent : NULL) {
        char segment[SEGMENT_TEXT];
        if (!path || !segment_take(&at, end, segment))
            return false;
        at += at < end;
    }
    return !path;
}

const char *config_set_text(const struct checker *checker, const struct json_path *path)
{
    const struct config_source *source = checker->source;
    for (size_t i = source ? source->set_count : 0; i-- > 0;) {
        const char *equals = strchr(source->set[i], '='), *at = source->set[i];
        if (equals && path_take(&at, equals, path) && at == equals)
            return is_whole(source->set[i], equals, path) ? equals + 1 : NULL;
    }
    return NULL;
}
