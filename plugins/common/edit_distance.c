/*
 * edit_distance.c - how far one name is from another, to guess what was meant
 * SPDX-License-Identifier: MIT
 */
#include "edit_distance.h"

enum { LONGEST = 32 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

size_t edit_distance(struct outbox_slice a, struct outbox_slice b)
{
    size_t row[LONGEST + 1];
    size_t a_len = a.len < LONGEST ? (size_t)a.len : LONGEST;
    size_t b_len = b.len < LONGEST ? (size_t)b.len : LONGEST;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] =
                smallest(above + 1, row[j - 1] + 1, diagonal + (a.data[i - 1] != b.data[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}
