/*
 * text.c - bytes that claim to be text, looked at and made safe to show
 * SPDX-License-Identifier: MIT
 */
#include "text.h"

#include <stdio.h>
#include <string.h>

size_t text_sequence(const char *bytes, size_t left)
{
    const unsigned char *at = (const unsigned char *)bytes;
    unsigned char lowest = 0x80, highest = 0xbf; /* of the second byte: no overlong form, surrogate
                                                    or value past U+10FFFF */
    size_t length;

    if (at[0] < 0x80)
        return 1;
    if (at[0] >= 0xc2 && at[0] <= 0xdf) {
        length = 2;
    } else if (at[0] >= 0xe0 && at[0] <= 0xef) {
        length = 3;
        lowest = at[0] == 0xe0 ? 0xa0 : lowest;
        highest = at[0] == 0xed ? 0x9f : highest;
    } else if (at[0] >= 0xf0 && at[0] <= 0xf4) {
        length = 4;
        lowest = at[0] == 0xf0 ? 0x90 : lowest;
        highest = at[0] == 0xf4 ? 0x8f : highest;
    } else {
        return 0;
    }

    if (left < length || at[1] < lowest || at[1] > highest)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (at[i] < 0x80 || at[i] > 0xbf)
            return 0;
    return length;
}

bool text_is_control(const char *sequence, size_t length)
{
    const unsigned char *at = (const unsigned char *)sequence;
    if (length == 1)
        return at[0] < 0x20 || at[0] == 0x7f;
    return length == 2 && at[0] == 0xc2 && at[1] < 0xa0;
}

static size_t keep(const char *text, size_t length, char out[TEXT_ESCAPED_MAX])
{
    memcpy(out, text, length);
    return length;
}

static size_t write_code(const char *format, unsigned code, char out[TEXT_ESCAPED_MAX])
{
    int length = snprintf(out, TEXT_ESCAPED_MAX, format, code);
    return length > 0 ? (size_t)length : 0;
}

/* The letter of the two-character escape that JSON and C share, 0 if there is none. */
static char short_escape(char byte)
{
    switch (byte) {
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\\':
        return '\\';
    default:
        return 0;
    }
}

size_t text_escape_json(const char **bytes, const char *end, char out[TEXT_ESCAPED_MAX])
{
    const char *at = *bytes;
    size_t length = text_sequence(at, (size_t)(end - at));

    *bytes += length ? length : 1;
    if (length == 0)
        return keep("\\ufffd", 6, out);
    if (length == 1 && (*at == '"' || short_escape(*at)))
        return keep((char[]){'\\', *at == '"' ? '"' : short_escape(*at)}, 2, out);
    if (length == 1 && text_is_control(at, 1))
        return write_code("\\u%04x", (unsigned char)*at, out);
    return keep(at, length, out);
}

size_t text_escape_plain(const char **bytes, const char *end, char out[TEXT_ESCAPED_MAX])
{
    const char *at = *bytes;
    size_t length = text_sequence(at, (size_t)(end - at));

    *bytes += length ? length : 1;
    if (length == 0)
        return write_code("\\x%02x", (unsigned char)*at, out);
    if (!text_is_control(at, length))
        return keep(at, length, out);
    if (length == 1 && short_escape(*at))
        return keep((char[]){'\\', short_escape(*at)}, 2, out);
    if (length == 1)
        return write_code("\\x%02x", (unsigned char)*at, out);
    return write_code("\\u%04x", (unsigned char)at[1], out);
}
