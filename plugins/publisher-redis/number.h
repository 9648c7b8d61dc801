/*
 * number.h - a whole number out of text
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_NUMBER_H
#define PUBLISHER_REDIS_NUMBER_H

#include <outbox/types.h>
#include <stdbool.h>

/* All of `text`, digits alone, 0 to `maximum`. */
OUTBOX_MUST_USE
static inline bool number_parse(const char *text, int64_t maximum, int64_t *number)
{
    int64_t value = 0;
    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > (maximum - (*text - '0')) / 10)
            return false;
        value = value * 10 + (*text - '0');
    }
    *number = value;
    return true;
}

#endif
