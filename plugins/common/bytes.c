/*
 * bytes.c - bytes that are appended to and written out again and again
 * SPDX-License-Identifier: MIT
 */
#include "bytes.h"

#include <stdlib.h>

#define SMALLEST_CAPACITY 4096u

char *bytes_room(struct bytes *bytes, uint64_t extra)
{
    if (bytes->data && extra <= bytes->capacity - bytes->len)
        return bytes->data + bytes->len;
    if (extra > SIZE_MAX / 2 - bytes->len)
        return NULL;
    uint64_t needed = bytes->len + extra;
    uint64_t capacity = bytes->capacity ? bytes->capacity : SMALLEST_CAPACITY;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(bytes->data, capacity);
    if (!data)
        return NULL;
    bytes->data = data;
    bytes->capacity = capacity;
    return data + bytes->len;
}

bool bytes_append(struct bytes *bytes, const char *data, uint64_t len)
{
    if (len == 0)
        return true;
    char *room = bytes_room(bytes, len);
    if (!room)
        return false;
    memcpy(room, data, len);
    bytes->len += len;
    return true;
}

void bytes_drop(struct bytes *bytes, uint64_t count)
{
    if (count == 0)
        return;
    bytes->len -= count;
    memmove(bytes->data, bytes->data + count, bytes->len);
}

void bytes_reset(struct bytes *bytes, uint64_t keep)
{
    if (bytes->capacity > keep)
        bytes_clear(bytes);
    bytes->len = 0;
}

void bytes_clear(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}
