/*
 * nearest.c - what a misspelt word was meant to be
 * SPDX-License-Identifier: MIT
 */
#include "nearest.h"

#include <ctype.h>
#include <string.h>

#define LONGEST 63

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int letter(const char *word, size_t at)
{
    return tolower((unsigned char)word[at]);
}

size_t nearest_distance(const char *from, const char *to)
{
    size_t rows = least(strlen(from), LONGEST), columns = least(strlen(to), LONGEST);
    size_t cost[LONGEST + 1][LONGEST + 1];
    for (size_t j = 0; j <= columns; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= rows; i++) {
        cost[i][0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t replaced = letter(from, i - 1) == letter(to, j - 1) ? 0 : 1;
            cost[i][j] =
                least(cost[i - 1][j - 1] + replaced, least(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && letter(from, i - 1) == letter(to, j - 2) &&
                letter(from, i - 2) == letter(to, j - 1))
                cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[rows][columns];
}

void nearest_init(struct nearest *nearest, const char *wanted)
{
    /* Beyond a third of its letters a word was not misspelt: it is another one. */
    *nearest = (struct nearest){.wanted = wanted, .distance = strlen(wanted) / 3 + 2};
}

void nearest_offer(struct nearest *nearest, const char *word)
{
    size_t distance = nearest_distance(nearest->wanted, word);
    if (distance >= nearest->distance || distance >= strlen(word))
        return;
    nearest->distance = distance;
    nearest->best = word;
}
