/*
 * headers_oracle.h - the header parser held against another JSON parser
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_HEADERS_ORACLE_H
#define TESTS_HEADERS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>

/* Parses the same bytes with headers_parse() and with jansson. Returns NULL if both agree, else how
 * they differ (constant text). *accepted, if not NULL, tells whether the parser took them. Agreed
 * to differ:
 *   - blanks alone are no header, where jansson wants a value;
 *   - an empty name is refused;
 *   - numbers have any size, where jansson wants them to fit a C type;
 *   - names of nested objects may hold \u0000;
 *   - a NUL byte in the text itself is never accepted, where jansson skips one behind a number;
 *   - objects nest HEADERS_MAX_DEPTH deep, in jansson deeper. */
const char *headers_disagreement(const char *text, size_t len, bool *accepted);

#endif
