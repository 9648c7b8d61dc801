/*
 * byte_buffer.h - bytes that are added to at the end
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_BYTE_BUFFER_H
#define CORE_TELEMETRY_BYTE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed it is empty. Once memory has run out nothing more is added. */
struct byte_buffer {
    char *bytes;
    size_t length, capacity;
    bool failed;
};

void buffer_add(struct byte_buffer *buffer, const void *bytes, size_t length);
void buffer_text(struct byte_buffer *buffer, const char *text);

/* Makes room for so many bytes after the end; NULL if there is none. */
void *buffer_room(struct byte_buffer *buffer, size_t length) __attribute__((warn_unused_result));
void buffer_clear(struct byte_buffer *buffer);

#endif
