/*
 * columns.h - the table's and its columns' names, and SQL written with them
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_COLUMNS_H
#define STORE_SQLITE_COLUMNS_H

#include <outbox/types.h>
#include <stdbool.h>

/* What a column is there for; the layout's own column names are the names of the roles. */
enum role {
    ROLE_EVENT_ID,
    ROLE_EVENT_TYPE,
    ROLE_PARTITION_KEY,
    ROLE_PAYLOAD,
    ROLE_HEADERS,
    ROLE_STATUS,
    ROLE_ATTEMPTS,
    ROLE_LAST_ERROR,
    ROLE_AVAILABLE_AT,
    ROLE_LOCKED_BY,
    ROLE_LOCKED_AT,
    ROLE_DELIVERED_AT,
    ROLE_CREATED_AT,
    ROLE_UPDATED_AT,
    ROLE_ORDERING_KEY, /* from here on: a table made elsewhere need not have them */
    ROLE_AGGREGATE_TYPE,
    ROLE_AGGREGATE_ID,
    ROLE_SEQ,
    ROLE_COUNT
};

#define ROLE_FIRST_OPTIONAL ROLE_ORDERING_KEY

enum { IDENTIFIER_MAX = 120 };

/* How a store's table and columns are called; checked identifiers, not yet quoted. */
struct columns {
    char table[IDENTIFIER_MAX + 1];
    char names[ROLE_COUNT][IDENTIFIER_MAX + 1];
};

/* Which columns the table in the database has. */
struct shape {
    bool exists;
    bool is_table; /* not a view, not virtual */
    bool has_rowid;
    bool has[ROLE_COUNT];
    bool id_is_blob;      /* event_id is declared to hold bytes */
    bool rowid_is_stable; /* an INTEGER PRIMARY KEY: VACUUM keeps the row numbers */
};

const char *role_name(enum role role);

/* INVALID, naming what is wrong and what is allowed. `map` may be NULL. */
enum outbox_status columns_init(struct columns *columns, const char *table,
                                const struct outbox_setting *map, struct outbox_error *error)
    __attribute__((warn_unused_result));

/* Writes SQL from a template in which {table} and {ROLE} stand for quoted names, {rowid} for the
 * row number, {index:NAME} for the name of an index of the table and {} for itself. With a shape, a
 * role the table has no column for becomes NULL, and `{ROLE}=...,` in an UPDATE must not be written
 * for it. The caller frees it with free(); NULL when memory is out. */
char *columns_sql(const struct columns *columns, const struct shape *shape, const char *pattern)
    __attribute__((warn_unused_result));

#endif
