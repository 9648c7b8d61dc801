/*
 * binary.h - PostgreSQL's binary formats
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_POSTGRES_BINARY_H
#define STORE_POSTGRES_BINARY_H

#include "buffer.h"

/* Type oids that are fixed in every PostgreSQL. */
enum type_oid {
    TYPE_BYTEA = 17,
    TYPE_NAME = 19,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_TEXT = 25,
    TYPE_TID = 27,
    TYPE_JSON = 114,
    TYPE_BPCHAR = 1042,
    TYPE_VARCHAR = 1043,
    TYPE_TIMESTAMP = 1114,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_UUID = 2950,
    TYPE_JSONB = 3802
};

/* Microseconds between 1970-01-01 and 2000-01-01, where PostgreSQL's time begins. */
#define POSTGRES_EPOCH INT64_C(946684800000000)

void buffer_int32(struct buffer *buffer, int32_t value);

/* A one-dimensional array as the server's array_recv reads it: begin, add each, end. */
void array_begin(struct buffer *buffer, enum type_oid element);
void array_add(struct buffer *buffer, const void *data, size_t len);
void array_add_null(struct buffer *buffer);
void array_add_slice(struct buffer *buffer, struct outbox_slice slice); /* absent: NULL */
void array_add_int32(struct buffer *buffer, int32_t value);
void array_add_int64(struct buffer *buffer, int64_t value);
void array_end(struct buffer *buffer, size_t count);

void put_int32(char *to, int32_t value);
void put_int64(char *to, int64_t value);
int64_t get_int64(const char *from);
int64_t get_integer(const char *from, int len); /* int2, int4 or int8 by its length */

/* Instants: PostgreSQL's to 1970's and back; both infinities stay what they are. */
int64_t instant_to_unix(int64_t instant);
int64_t instant_from_unix(int64_t instant);

#endif
