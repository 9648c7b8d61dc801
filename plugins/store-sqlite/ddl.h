/*
 * ddl.h - the SQL that makes or upgrades the table
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_DDL_H
#define STORE_SQLITE_DDL_H

#include "statements.h"

#include "shape.h"

/* An index that statements need. */
struct ddl_index {
    enum statement user;
    const char *pattern;  /* that makes it */
    enum role columns[3]; /* what it is on; up to ROLE_NONE */
    const char *without;  /* what is slow without it */
    bool implied;         /* a table that this driver makes has it anyway */
};

enum { DDL_INDEX_COUNT = 5 };
extern const struct ddl_index ddl_indexes[DDL_INDEX_COUNT];

/* Whether a table of that shape has a use for it. */
bool ddl_needs(const struct outbox_store *store, const struct shape *shape,
               const struct ddl_index *index);

/* The statement whose plan shows whether it is there. */
enum statement ddl_user(const struct outbox_store *store, const struct ddl_index *index);

/* The pattern of CREATE TABLE, for the shape that is wanted. The caller frees it; NULL when memory
 * is out. */
char *ddl_table(const struct outbox_store *store, const struct shape *shape) OUTBOX_MUST_USE;

#endif
