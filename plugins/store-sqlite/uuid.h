/*
 * uuid.h - event ids
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_UUID_H
#define STORE_SQLITE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UUID_LEN = 36 };

/* Writes a UUID of version 7 for that time, with no NUL. False if the system gives no random bytes.
 */
bool uuid_make(int64_t microseconds, char text[UUID_LEN]) __attribute__((warn_unused_result));

/* False for text that is no UUID. */
bool uuid_parse(const char *text, size_t len, unsigned char bytes[16])
    __attribute__((warn_unused_result));

#endif
