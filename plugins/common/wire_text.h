/*
 * wire_text.h - names and values of headers in protocols made of lines of text (HTTP, NATS)
 * SPDX-License-Identifier: MIT
 *
 * What such a protocol cannot carry as it is, or a receiver would trim, is refused.
 */
#ifndef PLUGINS_COMMON_WIRE_TEXT_H
#define PLUGINS_COMMON_WIRE_TEXT_H

#include <outbox/types.h>
#include <stdbool.h>

/* A token of RFC 9110: letters, digits and !#$%&'*+-.^_`|~ */
static inline bool wire_text_is_name(struct outbox_slice name)
{
    if (name.len == 0)
        return false;
    for (uint64_t i = 0; i < name.len; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        bool is_alphanumeric = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                               (byte >= 'A' && byte <= 'Z');
        if (!is_alphanumeric && (byte == 0 || !strchr("!#$%&'*+-.^_`|~", byte)))
            return false;
    }
    return true;
}

/* No control byte but a tab inside, no blank at either end. Bytes from 0x80 on pass. */
static inline bool wire_text_is_value(struct outbox_slice value)
{
    if (value.len == 0)
        return true;
    for (uint64_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.data[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            return false;
    }
    char first = value.data[0], last = value.data[value.len - 1];
    return first != ' ' && first != '\t' && last != ' ' && last != '\t';
}

/* The most bytes that wire_text_encode() writes for a value of `len` bytes. */
static inline uint64_t wire_text_encoded_max(uint64_t len)
{
    return 3 * len;
}

/* Percent-encodes the value of a CloudEvents attribute as the HTTP binding asks: everything but
 * printable ASCII, and '"', '%' and the space. Returns the bytes written to `to`; no NUL is added.
 */
static inline uint64_t wire_text_encode(struct outbox_slice value, char *to)
{
    static const char digits[] = "0123456789ABCDEF";
    uint64_t len = 0;
    for (uint64_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.data[i];
        if (byte > 0x20 && byte < 0x7f && byte != '"' && byte != '%') {
            to[len++] = (char)byte;
            continue;
        }
        to[len++] = '%';
        to[len++] = digits[byte >> 4];
        to[len++] = digits[byte & 15];
    }
    return len;
}

#endif
