/*
 * trace_context.c - the W3C header that a trace travels in
 * SPDX-License-Identifier: MIT
 */
#include "trace_context.h"

/* VERSION-TRACE-SPAN-FLAGS, all in hexadecimal. */
#define TRACE_AT 3
#define SPAN_AT 36
#define FLAGS_AT 53
#define SAMPLED 1

/* Upper case is not allowed. */
static int digit(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static bool read_hex(const char *text, unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static void write_hex(const unsigned char *bytes, size_t count, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
}

static bool is_zero(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* A later version may have more behind the flags. */
static bool has_shape(struct outbox_slice text, unsigned char version)
{
    if (version == 0xff || (version == 0 && text.len != TRACEPARENT_LEN))
        return false;
    return text.data[TRACE_AT - 1] == '-' && text.data[SPAN_AT - 1] == '-' &&
           text.data[FLAGS_AT - 1] == '-' &&
           (text.len == TRACEPARENT_LEN || text.data[TRACEPARENT_LEN] == '-');
}

bool traceparent_parse(struct outbox_slice text, struct trace_parent *parent)
{
    unsigned char version, flags;

    if (text.len < TRACEPARENT_LEN || !read_hex(text.data, &version, 1) ||
        !has_shape(text, version))
        return false;
    if (!read_hex(text.data + TRACE_AT, parent->context.trace_id, TRACE_ID) ||
        !read_hex(text.data + SPAN_AT, parent->context.span_id, SPAN_ID) ||
        !read_hex(text.data + FLAGS_AT, &flags, 1))
        return false;
    parent->is_sampled = (flags & SAMPLED) != 0;
    return !is_zero(parent->context.trace_id, TRACE_ID) &&
           !is_zero(parent->context.span_id, SPAN_ID);
}

void traceparent_write(const struct span_context *context, char text[TRACEPARENT_LEN])
{
    memcpy(text, "00-", TRACE_AT);
    write_hex(context->trace_id, TRACE_ID, text + TRACE_AT);
    text[SPAN_AT - 1] = '-';
    write_hex(context->span_id, SPAN_ID, text + SPAN_AT);
    memcpy(text + FLAGS_AT - 1, "-01", 3);
}
