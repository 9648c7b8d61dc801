/*
 * byte_buffer.c - bytes that are added to at the end
 * SPDX-License-Identifier: MIT
 */
#include "byte_buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY ((size_t)4096)

void *buffer_room(struct byte_buffer *buffer, size_t length)
{
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;

    if (buffer->failed || length > SIZE_MAX / 4 - buffer->length) {
        buffer->failed = true;
        return NULL;
    }
    while (capacity - buffer->length < length)
        capacity *= 2;
    if (capacity != buffer->capacity) {
        char *larger = realloc(buffer->bytes, capacity);
        if (!larger) {
            buffer->failed = true;
            return NULL;
        }
        buffer->bytes = larger;
        buffer->capacity = capacity;
    }
    return buffer->bytes + buffer->length;
}

void buffer_add(struct byte_buffer *buffer, const void *bytes, size_t length)
{
    void *room = buffer_room(buffer, length);
    if (!room || length == 0)
        return;
    memcpy(room, bytes, length);
    buffer->length += length;
}

void buffer_text(struct byte_buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_clear(struct byte_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct byte_buffer){0};
}
