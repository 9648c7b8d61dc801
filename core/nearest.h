/*
 * nearest.h - what a misspelt word was meant to be
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_NEAREST_H
#define CORE_NEAREST_H

#include <stddef.h>

/* The fewest letters to insert, drop, replace or swap with their neighbour that make `from` into
 * `to`, letter case aside. Words longer than 63 bytes are compared by their first 63. */
size_t nearest_distance(const char *from, const char *to);

/* Keeps the closest of the words offered so far. */
struct nearest {
    const char *wanted;
    const char *best; /* NULL: nothing offered is close enough to be meant */
    size_t distance;
};

void nearest_init(struct nearest *nearest, const char *wanted);
void nearest_offer(struct nearest *nearest, const char *word);

#endif
