/*
 * uuid.c - event ids
 * SPDX-License-Identifier: MIT
 */
#include "uuid.h"

#include <sys/random.h>

static bool is_dash(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

bool uuid_make(int64_t microseconds, char text[UUID_LEN])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[16];
    /* Up to 256 bytes come whole once the system's generator is seeded. */
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return false;
    uint64_t milliseconds = (uint64_t)(microseconds / 1000);
    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(milliseconds >> (40 - 8 * i));
    bytes[6] = (unsigned char)(0x70 | (bytes[6] & 0x0f));
    bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3f));
    size_t nibble = 0;
    for (size_t at = 0; at < UUID_LEN; at++) {
        if (is_dash(at)) {
            text[at] = '-';
            continue;
        }
        unsigned char byte = bytes[nibble / 2];
        text[at] = digits[nibble % 2 ? byte & 15 : byte >> 4];
        nibble++;
    }
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool uuid_parse(const char *text, size_t len, unsigned char bytes[16])
{
    if (len != UUID_LEN)
        return false;
    size_t nibble = 0;
    for (size_t at = 0; at < UUID_LEN; at++) {
        if (is_dash(at)) {
            if (text[at] != '-')
                return false;
            continue;
        }
        int digit = digit_of(text[at]);
        if (digit < 0)
            return false;
        unsigned int byte =
            nibble % 2 ? bytes[nibble / 2] | (unsigned int)digit : (unsigned int)digit << 4;
        bytes[nibble / 2] = (unsigned char)byte;
        nibble++;
    }
    return true;
}
