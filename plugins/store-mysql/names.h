/*
 * names.h - what the table and its columns are called, checked and quoted
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_MYSQL_NAMES_H
#define STORE_MYSQL_NAMES_H

#include "layout.h"

#include <outbox/types.h>

struct names {
    char *table;              /* quoted, with its database if one was given */
    const char *bare_table;   /* quoted, without its database; a part of the above */
    char *schema;             /* as it is, NULL if none was given */
    char *relation;           /* as it is, without the database */
    char *column[ROLE_COUNT]; /* as it is; NULL where the layout has none */
    char *quoted[ROLE_COUNT];
};

/* Checks and quotes; without `table` it is the layout's usual one. INVALID names what is wrong.
 * Clear it also after a failure. */
enum outbox_status names_init(struct names *names, const struct layout *layout, const char *table,
                              const struct outbox_setting *columns,
                              struct outbox_error *error) OUTBOX_MUST_USE;
void names_clear(struct names *names);

/* Quoted, malloc'ed; NULL if memory ran out. */
char *quote_identifier(const char *text, size_t len) OUTBOX_MUST_USE;

#endif
