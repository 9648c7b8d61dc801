/*
 * publisher_lines.h - reads the lines that a publisher under test has written
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_PUBLISHER_LINES_H
#define TESTS_PUBLISHER_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The lines of a text, each read as JSON. Fails the test where one is no JSON object or the last
 * one does not end. The caller owns the array (json_decref). */
json_t *lines_parse(const char *text, size_t len);

/* The whole content of a file, NUL-terminated; the caller frees it. NULL if there is no such file.
 */
char *file_content(const char *path, size_t *len);
json_t *lines_of_file(const char *path);

/* How many lines have the event id PREFIX-NUMBER. */
size_t lines_with_id(const json_t *lines, const char *prefix, uint64_t number);

/* Whether the ids of the lines with PREFIX are PREFIX-0, PREFIX-1 ... PREFIX-(count-1), in that
 * order. */
bool lines_in_order(const json_t *lines, const char *prefix, uint64_t count);

#endif
