/*
 * names.h - what the table and its columns are called, checked and quoted
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_POSTGRES_NAMES_H
#define STORE_POSTGRES_NAMES_H

#include "layout.h"

struct names {
    char *table;              /* quoted, with its schema if one was given */
    char *schema;             /* quoted, NULL if none was given */
    char *relation;           /* as it is, without the schema */
    char *column[ROLE_COUNT]; /* as it is; NULL where no column has this role */
    char *quoted[ROLE_COUNT];
};

/* Checks and quotes; `table` NULL is the layout's own. INVALID names what is wrong. Clear it also
 * after a failure. */
enum outbox_status names_init(struct names *names, const struct layout *layout, const char *table,
                              const struct outbox_setting *columns,
                              struct outbox_error *error) OUTBOX_MUST_USE;
void names_clear(struct names *names);

/* Quoted, malloc'ed; NULL if memory ran out. */
char *quote_identifier(const char *text, size_t len) OUTBOX_MUST_USE;

#endif
