/*
 * table.c - rows for people to read
 * SPDX-License-Identifier: MIT
 */
#include "table.h"

#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GAP 2 /* blanks between columns */

struct table {
    struct table_column columns[TABLE_COLUMNS_MAX];
    size_t column_count;
    char **cells;
    size_t cell_count, cell_capacity;
    bool failed;
};

struct table *table_new(const struct table_column *columns, size_t count)
{
    struct table *table = calloc(1, sizeof(*table));
    if (!table || count > TABLE_COLUMNS_MAX) {
        free(table);
        return NULL;
    }
    memcpy(table->columns, columns, count * sizeof(*columns));
    table->column_count = count;
    return table;
}

void table_free(struct table **table)
{
    if (!*table)
        return;
    for (size_t i = 0; i < (*table)->cell_count; i++)
        free((*table)->cells[i]);
    free((*table)->cells);
    free(*table);
    *table = NULL;
}

static char *visible(const char *text)
{
    const char *end = text + strlen(text);
    char *copy = malloc((size_t)(end - text) * TEXT_ESCAPED_MAX + 1);
    size_t length = 0;

    if (!copy)
        return NULL;
    while (text < end) {
        char piece[TEXT_ESCAPED_MAX];
        size_t added = text_escape_plain(&text, end, piece);
        memcpy(copy + length, piece, added);
        length += added;
    }
    copy[length] = '\0';
    return copy;
}

void table_cell(struct table *table, const char *text)
{
    if (table->cell_count == table->cell_capacity) {
        size_t capacity = table->cell_capacity ? table->cell_capacity * 2 : 64;
        char **cells = reallocarray(table->cells, capacity, sizeof(*cells));
        if (!cells) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->cell_capacity = capacity;
    }
    char *cell = visible(text ? text : "-");
    if (!cell) {
        table->failed = true;
        return;
    }
    table->cells[table->cell_count++] = cell;
}

const char *table_number(int64_t number, char text[TABLE_NUMBER])
{
    char digits[TABLE_NUMBER];
    size_t out = 0;
    int length = snprintf(digits, sizeof(digits), "%" PRId64, number);

    for (int i = 0; i < length; i++) {
        text[out++] = digits[i];
        int behind = length - 1 - i;
        if (digits[i] != '-' && behind > 0 && behind % 3 == 0)
            text[out++] = ',';
    }
    text[out] = '\0';
    return text;
}

void table_count(struct table *table, int64_t number, bool estimated)
{
    char digits[TABLE_NUMBER], text[TABLE_NUMBER + 1];

    if (number < 0) {
        table_cell(table, NULL);
        return;
    }
    (void)snprintf(text, sizeof(text), "%s%s", estimated ? "~" : "", table_number(number, digits));
    table_cell(table, text);
}

const char *table_age(int64_t microseconds, char text[TABLE_NUMBER])
{
    int64_t seconds = microseconds / 1000000;

    if (microseconds < 0)
        (void)snprintf(text, TABLE_NUMBER, "-");
    else if (seconds < 1)
        (void)snprintf(text, TABLE_NUMBER, "%" PRId64 "ms", microseconds / 1000);
    else if (seconds < 60)
        (void)snprintf(text, TABLE_NUMBER, "%" PRId64 "s", seconds);
    else if (seconds < 3600)
        (void)snprintf(text, TABLE_NUMBER, "%" PRId64 "m %" PRId64 "s", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        (void)snprintf(text, TABLE_NUMBER, "%" PRId64 "h %" PRId64 "m", seconds / 3600,
                       seconds / 60 % 60);
    else
        (void)snprintf(text, TABLE_NUMBER, "%" PRId64 "d %" PRId64 "h", seconds / 86400,
                       seconds / 3600 % 24);
    return text;
}

/* A character counts as one place. */
static size_t width(const char *text)
{
    size_t places = 0;
    for (; *text; text++)
        places += ((unsigned char)*text & 0xc0) != 0x80;
    return places;
}

static void print_row(const struct table *table, const size_t *widths, char *const *cells,
                      FILE *out)
{
    size_t owed = 0; /* blanks, not printed at the end of a line */

    for (size_t i = 0; i < table->column_count; i++) {
        const struct table_column *column = &table->columns[i];
        const char *text = cells ? cells[i] : column->title;
        size_t blanks = widths[i] - width(text);
        if (column->right)
            owed += blanks;
        (void)fprintf(out, "%*s%s", (int)owed, "", text);
        owed = GAP + (column->right ? 0 : blanks);
    }
    (void)fputc('\n', out);
}

bool table_print(const struct table *table, FILE *out)
{
    size_t widths[TABLE_COLUMNS_MAX];
    bool bold = isatty(fileno(out));

    if (table->failed)
        return false;
    for (size_t i = 0; i < table->column_count; i++)
        widths[i] = width(table->columns[i].title);
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t cell = width(table->cells[i]);
        size_t *widest = &widths[i % table->column_count];
        *widest = cell > *widest ? cell : *widest;
    }

    if (bold)
        (void)fputs("\033[1m", out);
    print_row(table, widths, NULL, out);
    if (bold)
        (void)fputs("\033[0m", out);
    for (size_t i = 0; i + table->column_count <= table->cell_count; i += table->column_count)
        print_row(table, widths, table->cells + i, out);
    return true;
}
