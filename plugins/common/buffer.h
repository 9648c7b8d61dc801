/*
 * buffer.h - text and bytes that grow; that memory ran out is found once, at the end
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_BUFFER_H
#define PLUGINS_COMMON_BUFFER_H

#include <outbox/types.h>
#include <stdbool.h>

/* All zero is an empty buffer. `failed` sticks once memory ran out. */
struct buffer {
    char *data;
    size_t len, capacity;
    bool failed;
};

void buffer_clear(struct buffer *buffer);
void buffer_reset(struct buffer *buffer);
void buffer_bytes(struct buffer *buffer, const void *data, size_t len);

/* Appends text; data then always ends in a NUL that len does not count. */
void buffer_text(struct buffer *buffer, const char *format, ...) OUTBOX_PRINTF(2, 3);

/* Gives the text away: the caller frees it. NULL if memory ran out. */
char *buffer_take(struct buffer *buffer) OUTBOX_MUST_USE;

#endif
