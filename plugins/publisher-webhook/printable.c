/*
 * printable.c - foreign bytes as text that a person can read
 * SPDX-License-Identifier: MIT
 */
#include "printable.h"

#include <stdbool.h>

/* Bytes of the UTF-8 character that begins here, 0 if none does. */
static uint64_t character(const unsigned char *at, uint64_t left)
{
    unsigned char first = at[0];
    uint64_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (len == 0 || first > 0xf4 || len > left)
        return 0;
    for (uint64_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) ||
        (first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f))
        return 0;
    return len;
}

static bool is_blank(unsigned char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

uint64_t printable_write(char *to, uint64_t size, struct outbox_slice from)
{
    const unsigned char *bytes = (const unsigned char *)from.data;
    uint64_t written = 0, at = 0;
    while (at < from.len) {
        uint64_t len = character(bytes + at, from.len - at);
        char replaced = 0;
        if (is_blank(bytes[at])) {
            replaced = ' ';
            while (at + 1 < from.len && is_blank(bytes[at + 1]))
                at++;
            len = 1;
        } else if (len == 0 || bytes[at] < 0x20 || bytes[at] == 0x7f) {
            replaced = '?';
            len = 1;
        }
        if (written + len >= size)
            break;
        if (replaced)
            to[written] = replaced;
        else
            memcpy(to + written, bytes + at, len);
        written += len;
        at += len;
    }
    to[written] = '\0';
    return written;
}
