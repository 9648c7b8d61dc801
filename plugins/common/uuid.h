/*
 * uuid.h - UUIDs as bytes and as text
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_UUID_H
#define PLUGINS_COMMON_UUID_H

#include <outbox/types.h>
#include <stdbool.h>

enum { UUID_BYTES = 16, UUID_TEXT = 36 };

/* Writes UUID_TEXT lower-case characters, no NUL. */
void uuid_format(const char bytes[UUID_BYTES], char text[UUID_TEXT]);

/* Reads 8-4-4-4-12 or 32 hexadecimal digits of either case. */
bool uuid_parse(struct outbox_slice text, char bytes[UUID_BYTES]) OUTBOX_MUST_USE;

/* Makes a version 7 UUID of now. False if the system gives no random bytes. */
bool uuid_make(char bytes[UUID_BYTES]) OUTBOX_MUST_USE;

#endif
