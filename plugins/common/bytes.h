/*
 * bytes.h - bytes that are appended to and written out again and again
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_BYTES_H
#define PLUGINS_COMMON_BYTES_H

#include <outbox/types.h>
#include <stdbool.h>

/* Starts as all zeroes. One thread at a time. */
struct bytes {
    char *data;
    uint64_t len, capacity;
};

/* Where `extra` more bytes may be written, after which the caller adds to len; NULL if the memory
 * is used up. */
char *bytes_room(struct bytes *bytes, uint64_t extra) OUTBOX_MUST_USE;
bool bytes_append(struct bytes *bytes, const char *data, uint64_t len) OUTBOX_MUST_USE;

/* Drops the first `count` bytes. */
void bytes_drop(struct bytes *bytes, uint64_t count);

/* Empties it; keeps the memory for the next use unless that is more than `keep` bytes. */
void bytes_reset(struct bytes *bytes, uint64_t keep);
void bytes_clear(struct bytes *bytes);

#endif
