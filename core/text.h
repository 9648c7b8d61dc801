/*
 * text.h - bytes that claim to be text, looked at and made safe to show
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* The length (1 to 4) of the well-formed UTF-8 sequence that `bytes` begins with, 0 if it begins
 * with none. `left` is never 0. */
size_t text_sequence(const char *bytes, size_t left);

/* Whether a sequence of that length is a control character: C0, DEL or C1. */
bool text_is_control(const char *sequence, size_t length);

/* Room for what text_escape_json() and text_escape_plain() write for one sequence. */
#define TEXT_ESCAPED_MAX 16

/* Writes the sequence at *bytes as it belongs into a JSON string, or into a line for a person,
 * moves *bytes past it and returns the number of characters written. Bytes that are no UTF-8 become
 * U+FFFD in JSON and \xNN in plain text; a person never gets a raw control character. */
size_t text_escape_json(const char **bytes, const char *end, char out[TEXT_ESCAPED_MAX]);
size_t text_escape_plain(const char **bytes, const char *end, char out[TEXT_ESCAPED_MAX]);

#endif
