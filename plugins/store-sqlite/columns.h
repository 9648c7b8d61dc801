/*
 * columns.h - what the table and its columns are called
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_COLUMNS_H
#define STORE_SQLITE_COLUMNS_H

#include "layout.h"

enum { IDENTIFIER_MAX = 120 };

/* Checked identifiers, not yet quoted. */
struct columns {
    char table[IDENTIFIER_MAX + 1];
    char names[ROLE_COUNT][IDENTIFIER_MAX + 1]; /* "": the layout has none, and none was named */
};

/* INVALID, naming what is wrong and what is allowed. `table` and `map` may be NULL. */
enum outbox_status columns_init(struct columns *columns, const struct layout *layout,
                                const char *table, const struct outbox_setting *map,
                                struct outbox_error *error) OUTBOX_MUST_USE;

static inline bool columns_have(const struct columns *columns, enum role role)
{
    return columns->names[role][0] != '\0';
}

#endif
