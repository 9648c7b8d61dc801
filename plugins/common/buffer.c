/*
 * buffer.c - text and bytes that grow; that memory ran out is found once, at the end
 * SPDX-License-Identifier: MIT
 */
#include "buffer.h"

#include <stdlib.h>

enum { SMALLEST = 256 };

void buffer_clear(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_reset(struct buffer *buffer)
{
    buffer->len = 0;
    buffer->failed = false;
}

static bool reserve(struct buffer *buffer, size_t more)
{
    if (buffer->failed)
        return false;
    if (buffer->capacity - buffer->len > more)
        return true;
    size_t capacity = buffer->capacity ? buffer->capacity : SMALLEST;
    while (capacity - buffer->len <= more) {
        if (capacity > SIZE_MAX / 2) {
            buffer->failed = true;
            return false;
        }
        capacity *= 2;
    }
    char *data = realloc(buffer->data, capacity);
    if (!data) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void buffer_bytes(struct buffer *buffer, const void *data, size_t len)
{
    if (len == 0 || !reserve(buffer, len))
        return;
    memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
}

void buffer_text(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (len < 0 || !reserve(buffer, (size_t)len + 1)) {
        buffer->failed = true;
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(buffer->data + buffer->len, (size_t)len + 1, format, arguments);
    va_end(arguments);
    buffer->len += (size_t)len;
}

char *buffer_take(struct buffer *buffer)
{
    if (buffer->failed) {
        buffer_clear(buffer);
        return NULL;
    }
    char *data = buffer->data;
    *buffer = (struct buffer){0};
    return data;
}
