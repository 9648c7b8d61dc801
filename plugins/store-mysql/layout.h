/*
 * layout.h - what kinds of outbox tables there are, as data
 * SPDX-License-Identifier: MIT
 *
 * A layout says which columns have which role, how states are written, and what `init` makes. No
 * other file knows a layout by its name.
 */
#ifndef STORE_MYSQL_LAYOUT_H
#define STORE_MYSQL_LAYOUT_H

#include "states.h"

#include <stdbool.h>
#include <stdint.h>

/* What a column is for. The order is that of the table that `init` makes. */
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
    ROLE_ORDERING_KEY,
    ROLE_AGGREGATE_TYPE,
    ROLE_AGGREGATE_ID,
    ROLE_SEQ,
    ROLE_CREATED_TS, /* seconds since 1970, from the id: what a table may be partitioned by */
    ROLE_COUNT,
    ROLE_NONE = ROLE_COUNT
};

#define ROLE_BIT(role) (UINT32_C(1) << (role))

enum { INDEX_COLUMNS = 3, LAYOUT_INDEXES = 3 };

/* An index that `init` makes, of those of its columns that the table has; the unused places are
 * ROLE_NONE. */
struct layout_index {
    const char *kind; /* "PRIMARY KEY", "UNIQUE KEY", "KEY" */
    const char *name; /* NULL for the primary key */
    enum role columns[INDEX_COLUMNS];
};

struct layout {
    const char *name;
    const char *table;                  /* its usual name; NULL: it has none */
    const char *column[ROLE_COUNT];     /* its name unless `columns` says otherwise; NULL: none */
    const char *definition[ROLE_COUNT]; /* for `init`; NULL: ddl.c makes it */
    const struct states *states;
    uint32_t required; /* roles without which nothing can be relayed */
    uint32_t leased;   /* further ones that mode lease needs; 0: it is not possible */
    uint32_t added;    /* what `init` adds to a table made elsewhere; 0: it leaves that alone */
    bool is_open;      /* `columns` may name further roles, `states` what the status holds */
    struct layout_index indexes[LAYOUT_INDEXES];
    struct layout_index claim; /* what claims scan; `init` adds it to a table made elsewhere */
};

/* NULL if there is none of that name. */
const struct layout *layout_find(const char *name);

static inline bool layout_has(const struct layout *layout, enum role role)
{
    return layout->is_open || layout->column[role];
}

/* What `columns` calls it, and errors. */
const char *role_name(enum role role);

#endif
