/*
 * glob.c - patterns of rules: '*' is any text, '?' one byte, '\' takes the next one as it is
 * SPDX-License-Identifier: MIT
 */
#include "glob.h"

/* How many bytes of the pattern take the byte `byte`, 0 if it does not fit. */
static uint64_t step(struct outbox_slice pattern, uint64_t at, char byte)
{
    if (at >= pattern.len)
        return 0;
    if (pattern.data[at] == '?')
        return 1;
    if (pattern.data[at] == '\\' && at + 1 < pattern.len)
        return pattern.data[at + 1] == byte ? 2 : 0;
    return pattern.data[at] == byte ? 1 : 0;
}

bool glob_matches(struct outbox_slice pattern, struct outbox_slice text)
{
    uint64_t at = 0, in = 0, retry_text = 0, taken;
    uint64_t after_star = 0; /* behind the last '*', from where to go on when a byte does not fit */

    while (in < text.len) {
        if (at < pattern.len && pattern.data[at] == '*') {
            after_star = ++at;
            retry_text = in;
        } else if ((taken = step(pattern, at, text.data[in])) > 0) {
            at += taken;
            in++;
        } else if (after_star > 0) {
            at = after_star;
            in = ++retry_text;
        } else {
            return false;
        }
    }
    while (at < pattern.len && pattern.data[at] == '*')
        at++;
    return at == pattern.len;
}
