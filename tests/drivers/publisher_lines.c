/*
 * publisher_lines.c - reads the lines that a publisher under test has written
 * SPDX-License-Identifier: MIT
 */
#include "publisher_lines.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* After those that it needs. */
#include <cmocka.h>

json_t *lines_parse(const char *text, size_t len)
{
    json_t *lines = json_array();
    assert_non_null(lines);
    while (len > 0) {
        json_error_t error;
        const char *end = memchr(text, '\n', len);
        if (!end)
            fail_msg("the last line does not end: %.*s", (int)(len < 80 ? len : 80), text);
        size_t line_len = (size_t)(end - text);
        json_t *line = json_loadb(text, line_len, JSON_ALLOW_NUL, &error);
        if (!json_is_object(line))
            fail_msg("no JSON object: %.*s: %s", (int)(line_len < 200 ? line_len : 200), text,
                     error.text);
        assert_int_equal(json_array_append_new(lines, line), 0);
        len -= line_len + 1;
        text = end + 1;
    }
    return lines;
}

char *file_content(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    *len = fread(text, 1, (size_t)size, file);
    text[*len] = '\0';
    (void)fclose(file);
    assert_int_equal(*len, size);
    return text;
}

json_t *lines_of_file(const char *path)
{
    size_t len;
    char *text = file_content(path, &len);
    if (!text)
        fail_msg("there is no file %s", path);
    json_t *lines = lines_parse(text, len);
    free(text);
    return lines;
}

static bool has_id(const json_t *line, const char *prefix, uint64_t number)
{
    char id[64];
    const char *found = json_string_value(json_object_get(line, "id"));
    (void)snprintf(id, sizeof(id), "%s-%" PRIu64, prefix, number);
    return found && strcmp(found, id) == 0;
}

size_t lines_with_id(const json_t *lines, const char *prefix, uint64_t number)
{
    size_t index, count = 0;
    json_t *line;
    json_array_foreach(lines, index, line) count += has_id(line, prefix, number);
    return count;
}

bool lines_in_order(const json_t *lines, const char *prefix, uint64_t count)
{
    size_t index, prefix_len = strlen(prefix);
    uint64_t number = 0;
    json_t *line;
    json_array_foreach(lines, index, line)
    {
        const char *id = json_string_value(json_object_get(line, "id"));
        if (!id || strncmp(id, prefix, prefix_len) != 0 || id[prefix_len] != '-')
            continue;
        if (!has_id(line, prefix, number))
            return false;
        number++;
    }
    return number == count;
}
