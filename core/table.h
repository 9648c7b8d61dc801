/*
 * table.h - rows for people to read
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TABLE_H
#define CORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

struct table_column {
    const char *title;
    bool right; /* numbers stand at the right */
};

/* Cells are copied. After an allocation failed, table_print() reports it. */
struct table;

struct table *table_new(const struct table_column *columns, size_t count)
    __attribute__((warn_unused_result));
void table_free(struct table **table);

/* The next cell, row by row; NULL shows as "-". Control characters are made visible. */
void table_cell(struct table *table, const char *text);

/* With thousands separated; `estimated` puts '~' before it, a negative number shows as "-". */
void table_count(struct table *table, int64_t number, bool estimated);

/* Prints titles and rows. False if there was no memory for them. */
bool table_print(const struct table *table, FILE *out) __attribute__((warn_unused_result));

/* "1,234,567" in `text`, which it returns. */
#define TABLE_NUMBER 32
const char *table_number(int64_t number, char text[TABLE_NUMBER]);

/* "3m 20s": an age in at most two units. */
const char *table_age(int64_t microseconds, char text[TABLE_NUMBER]);

#endif
