/*
 * header.h - the headers of a request
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_HEADER_H
#define PUBLISHER_WEBHOOK_HEADER_H

#include <outbox/types.h>
#include <stdbool.h>
#include <strings.h>

static inline bool header_is(struct outbox_slice name, const char *other)
{
    return name.len == strlen(other) && strncasecmp(name.data, other, name.len) == 0;
}

/* Whether HTTP or the driver itself makes the header of this name. */
bool header_is_reserved(struct outbox_slice name) OUTBOX_MUST_USE;

/* Bytes that header_write() fills, the NUL included. */
static inline uint64_t header_size(struct outbox_pair header)
{
    return header.name.len + 2 + header.value.len + 1;
}

/* Writes "Name: value", or "Name;" as libcurl wants it for a header with nothing behind it, and a
 * NUL. Returns the bytes written, the NUL included. */
uint64_t header_write(char *to, struct outbox_pair header);

#endif
