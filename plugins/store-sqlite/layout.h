/*
 * layout.h - what kinds of outbox tables there are, as data
 * SPDX-License-Identifier: MIT
 *
 * A layout says which columns have which role, how states are written, and what `init` makes. No
 * other file knows a layout by its name.
 */
#ifndef STORE_SQLITE_LAYOUT_H
#define STORE_SQLITE_LAYOUT_H

#include "states.h"

#include <stdbool.h>
#include <stdint.h>

/* What a column is for. The order is that of the table that `init` makes: what the relay changes
 * stands before what may be long, so that reading it never follows a payload through its pages. */
enum role {
    ROLE_SEQ,
    ROLE_EVENT_ID,
    ROLE_EVENT_TYPE,
    ROLE_PARTITION_KEY,
    ROLE_ORDERING_KEY,
    ROLE_AGGREGATE_TYPE,
    ROLE_AGGREGATE_ID,
    ROLE_CREATED_TS, /* seconds since 1970, from the id */
    ROLE_STATUS,
    ROLE_ATTEMPTS,
    ROLE_AVAILABLE_AT,
    ROLE_LOCKED_BY,
    ROLE_LOCKED_AT,
    ROLE_DELIVERED_AT,
    ROLE_CREATED_AT,
    ROLE_UPDATED_AT,
    ROLE_LAST_ERROR,
    ROLE_HEADERS,
    ROLE_PAYLOAD,
    ROLE_COUNT,
    ROLE_NONE = ROLE_COUNT
};

#define ROLE_BIT(role) (UINT32_C(1) << (role))

/* The database's clock as the driver writes it, and the test for an instant in that form:
 * 2006-01-02 15:04:05, with a fraction of up to three digits or none. */
#define CLOCK "strftime('%Y-%m-%d %H:%M:%f','now')"
#define IS_TIME(column)                                                                            \
    "length(" column ") BETWEEN 19 AND 23 AND " column " GLOB "                                    \
    "'[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]*' "               \
    "AND substr(" column ",20) NOT GLOB '*[^.0-9]*'"

struct layout {
    const char *name;
    const char *table;                  /* its usual name; NULL: it has none */
    const char *column[ROLE_COUNT];     /* its name unless `columns` says otherwise; NULL: none */
    const char *definition[ROLE_COUNT]; /* for `init`, a template; NULL: ddl.c makes it */
    const struct states *states;
    uint32_t required; /* roles without which nothing can be relayed */
    uint32_t leased;   /* further ones that mode lease needs; 0: it is not possible */
    uint32_t added;    /* what `init` adds to a table made elsewhere; 0: it leaves that alone */
    bool is_open;      /* `columns` may name further roles, `states` what the status holds */
    bool by_id;        /* claims go by the id, which grows with time */
};

/* NULL if there is none of that name. */
const struct layout *layout_find(const char *name);

static inline bool layout_has(const struct layout *layout, enum role role)
{
    return layout->is_open || layout->column[role];
}

/* What `columns` and the templates call it. */
const char *role_name(enum role role);

/* ROLE_NONE for a name that no role has. */
enum role role_find(struct outbox_slice name);

#endif
