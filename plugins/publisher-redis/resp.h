/*
 * resp.h - writes commands in the protocol of Redis (RESP 2)
 * SPDX-License-Identifier: MIT
 *
 * By hand and not by hiredis, which would copy every payload twice: here a payload is left out of
 * the text and sent from where it lies. The caller has made room.
 */
#ifndef PUBLISHER_REDIS_RESP_H
#define PUBLISHER_REDIS_RESP_H

#include <outbox/types.h>

/* What a number with its mark, or the frame around a text, takes at the most. */
#define RESP_NUMBER 24
#define RESP_FRAME 28

/* A literal as an argument: "$4\r\nXADD\r\n" of RESP_LITERAL("4", "XADD"). */
#define RESP_LITERAL(length, text) "$" length "\r\n" text "\r\n"

static inline char *resp_digits(char *at, uint64_t number)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static inline char *resp_end(char *at)
{
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

/* "*3" or "$12" with the end of its line. */
static inline char *resp_count(char *at, char mark, uint64_t number)
{
    *at++ = mark;
    return resp_end(resp_digits(at, number));
}

static inline char *resp_raw(char *at, const char *data, uint64_t len)
{
    if (len > 0)
        memcpy(at, data, len);
    return at + len;
}

static inline char *resp_argument(char *at, const char *data, uint64_t len)
{
    return resp_end(resp_raw(resp_count(at, '$', len), data, len));
}

/* An argument made of two texts. */
static inline char *resp_joined(char *at, struct outbox_slice first, struct outbox_slice second)
{
    at = resp_count(at, '$', first.len + second.len);
    return resp_end(resp_raw(resp_raw(at, first.data, first.len), second.data, second.len));
}

#endif
