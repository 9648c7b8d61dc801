/*
 * binary.c - PostgreSQL's binary formats
 * SPDX-License-Identifier: MIT
 */
#include "binary.h"

#include <endian.h>

void buffer_int32(struct buffer *buffer, int32_t value)
{
    char bytes[4];
    put_int32(bytes, value);
    buffer_bytes(buffer, bytes, sizeof(bytes));
}

/* The header: dimensions, "may hold NULLs", element type, length and lower bound of dimension 1. */
enum { ARRAY_LENGTH_AT = 12, ARRAY_HEADER = 20 };

void array_begin(struct buffer *buffer, enum type_oid element)
{
    buffer_reset(buffer);
    buffer_int32(buffer, 1);
    buffer_int32(buffer, 1);
    buffer_int32(buffer, (int32_t)element);
    buffer_int32(buffer, 0);
    buffer_int32(buffer, 1);
}

void array_add(struct buffer *buffer, const void *data, size_t len)
{
    if (len > INT32_MAX) {
        buffer->failed = true;
        return;
    }
    buffer_int32(buffer, (int32_t)len);
    buffer_bytes(buffer, data, len);
}

void array_add_null(struct buffer *buffer)
{
    buffer_int32(buffer, -1);
}

void array_add_slice(struct buffer *buffer, struct outbox_slice slice)
{
    if (slice.data)
        array_add(buffer, slice.data, (size_t)slice.len);
    else
        array_add_null(buffer);
}

void array_add_int32(struct buffer *buffer, int32_t value)
{
    char bytes[4];
    put_int32(bytes, value);
    array_add(buffer, bytes, sizeof(bytes));
}

void array_add_int64(struct buffer *buffer, int64_t value)
{
    char bytes[8];
    put_int64(bytes, value);
    array_add(buffer, bytes, sizeof(bytes));
}

void array_end(struct buffer *buffer, size_t count)
{
    if (count > INT32_MAX || buffer->len < ARRAY_HEADER)
        buffer->failed = true;
    else
        put_int32(buffer->data + ARRAY_LENGTH_AT, (int32_t)count);
}

void put_int32(char *to, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);
    memcpy(to, &wire, sizeof(wire));
}

void put_int64(char *to, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    memcpy(to, &wire, sizeof(wire));
}

int64_t get_int64(const char *from)
{
    uint64_t wire;
    memcpy(&wire, from, sizeof(wire));
    return (int64_t)be64toh(wire);
}

int64_t get_integer(const char *from, int len)
{
    if (len == 8)
        return get_int64(from);
    if (len == 4) {
        uint32_t wire;
        memcpy(&wire, from, sizeof(wire));
        return (int32_t)be32toh(wire);
    }
    if (len == 2) {
        uint16_t wire;
        memcpy(&wire, from, sizeof(wire));
        return (int16_t)be16toh(wire);
    }
    return 0;
}

int64_t instant_to_unix(int64_t instant)
{
    if (instant == INT64_MIN || instant > INT64_MAX - POSTGRES_EPOCH)
        return instant;
    return instant + POSTGRES_EPOCH;
}

int64_t instant_from_unix(int64_t instant)
{
    if (instant == INT64_MAX || instant < INT64_MIN + POSTGRES_EPOCH)
        return instant;
    return instant - POSTGRES_EPOCH;
}
