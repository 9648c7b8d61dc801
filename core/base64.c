/*
 * base64.c - bytes that travel as text
 * SPDX-License-Identifier: MIT
 */
#include "base64.h"

#include <stdint.h>

#define NO_DIGIT 64

static uint32_t digit_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return (uint32_t)(digit - 'A');
    if (digit >= 'a' && digit <= 'z')
        return (uint32_t)(digit - 'a') + 26;
    if (digit >= '0' && digit <= '9')
        return (uint32_t)(digit - '0') + 52;
    if (digit == '+')
        return 62;
    return digit == '/' ? 63 : NO_DIGIT;
}

/* How many '=' end the text: they stand for what the last group lacks. */
static size_t padding(const char *text, size_t length)
{
    if (length == 0 || text[length - 1] != '=')
        return 0;
    return length > 1 && text[length - 2] == '=' ? 2 : 1;
}

bool base64_decode(const char *text, size_t length, char *bytes, size_t *decoded, size_t *wrong)
{
    size_t digits = length - padding(text, length);
    uint32_t bits = 0;

    *decoded = 0;
    for (size_t i = 0; i < digits; i++) {
        uint32_t value = digit_value(text[i]);
        if (value == NO_DIGIT) {
            *wrong = i;
            return false;
        }
        bits = bits << 6 | value;
        if (i % 4 == 0)
            continue;
        bytes[(*decoded)++] = (char)(bits >> (6 - i % 4 * 2) & 0xff);
    }

    /* Bits left over must be zero: else two texts would stand for the same bytes, and one is cut.
     */
    size_t rest = digits % 4;
    uint32_t left_over = rest == 2 ? bits & 0xf : rest == 3 ? bits & 0x3 : 0;
    if (length % 4 == 0 && rest != 1 && left_over == 0)
        return true;
    *wrong = length;
    return false;
}

void base64_encode(const char *bytes, size_t length, char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < length; i += 3) {
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (i + j < length ? (unsigned char)bytes[i + j] : 0u);
        for (unsigned j = 0; j < 4; j++)
            *text++ = i + j <= length ? digits[bits >> (18 - 6 * j) & 63] : '=';
    }
}
