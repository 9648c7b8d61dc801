/*
 * uuid.c - UUIDs as bytes and as text
 * SPDX-License-Identifier: MIT
 */
#include "uuid.h"

#include <sys/random.h>
#include <time.h>

void uuid_format(const char bytes[UUID_BYTES], char text[UUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    static const unsigned char at[UUID_BYTES] = {0,  2,  4,  6,  9,  11, 14, 16,
                                                 19, 21, 24, 26, 28, 30, 32, 34};
    for (int i = 0; i < UUID_BYTES; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        text[at[i]] = digits[byte >> 4];
        text[at[i] + 1] = digits[byte & 15];
    }
    text[8] = text[13] = text[18] = text[23] = '-';
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool uuid_parse(struct outbox_slice text, char bytes[UUID_BYTES])
{
    bool hyphens = text.len == UUID_TEXT;
    if (!text.data || (!hyphens && text.len != UUID_BYTES * 2))
        return false;
    const char *from = text.data;
    for (int i = 0; i < UUID_BYTES; i++) {
        if (hyphens && (i == 4 || i == 6 || i == 8 || i == 10) && *from++ != '-')
            return false;
        int high = hex_value(from[0]), low = hex_value(from[1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (char)(high * 16 + low);
        from += 2;
    }
    return true;
}

bool uuid_make(char bytes[UUID_BYTES])
{
    unsigned char uuid[UUID_BYTES];
    struct timespec now;
    if (getrandom(uuid, sizeof(uuid), 0) != (ssize_t)sizeof(uuid) ||
        clock_gettime(CLOCK_REALTIME, &now) != 0)
        return false;
    uint64_t milliseconds = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    for (int i = 0; i < 6; i++)
        uuid[i] = (unsigned char)(milliseconds >> (40 - 8 * i));
    uuid[6] = (unsigned char)((uuid[6] & 0x0f) | 0x70);
    uuid[8] = (unsigned char)((uuid[8] & 0x3f) | 0x80);
    memcpy(bytes, uuid, sizeof(uuid));
    return true;
}
