/*
 * base64.h - bytes that travel as text
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_BASE64_H
#define CORE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Room that decoding `length` characters needs at most. */
static inline size_t base64_room(size_t length)
{
    return length / 4 * 3 + 3;
}

/* Decodes the standard alphabet (RFC 4648, section 4), padding required, nothing between. False,
 * with the place of the first wrong character in *wrong, if the text is anything else. */
bool base64_decode(const char *text, size_t length, char *bytes, size_t *decoded, size_t *wrong)
    __attribute__((warn_unused_result));

/* What encoding `length` bytes writes. */
static inline size_t base64_length(size_t length)
{
    return (length + 2) / 3 * 4;
}

/* Writes base64_length(length) characters, padded and without a NUL. */
void base64_encode(const char *bytes, size_t length, char *text);

#endif
