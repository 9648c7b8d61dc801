/*
 * utf8.h - whether bytes are text that JSON can hold
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_UTF8_H
#define PUBLISHER_REDIS_UTF8_H

#include <outbox/types.h>
#include <stdbool.h>

/* RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
static inline bool utf8_is_valid(struct outbox_slice text)
{
    const unsigned char *at = (const unsigned char *)text.data, *end = at + text.len;
    while (at < end) {
        uint32_t lead = *at++, code, lowest;
        int more;
        if (lead < 0x80)
            continue;
        if (lead >= 0xC0 && lead < 0xE0) {
            more = 1, code = lead & 0x1F, lowest = 0x80;
        } else if (lead >= 0xE0 && lead < 0xF0) {
            more = 2, code = lead & 0x0F, lowest = 0x800;
        } else if (lead >= 0xF0 && lead < 0xF8) {
            more = 3, code = lead & 0x07, lowest = 0x10000;
        } else {
            return false;
        }
        for (; more > 0; more--) {
            if (at == end || (*at & 0xC0) != 0x80)
                return false;
            code = code << 6 | (*at++ & 0x3Fu);
        }
        if (code < lowest || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
            return false;
    }
    return true;
}

#endif
