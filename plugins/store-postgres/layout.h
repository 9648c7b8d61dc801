/*
 * layout.h - what kinds of outbox tables there are, as data
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_POSTGRES_LAYOUT_H
#define STORE_POSTGRES_LAYOUT_H

#include "states.h"

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
    ROLE_COUNT
};

#define ROLE_BIT(role) (UINT32_C(1) << (role))

struct layout {
    const char *name;
    const char *table;                  /* its usual name; NULL: it has none */
    const char *column[ROLE_COUNT];     /* unless `columns` says otherwise; NULL: none */
    const char *definition[ROLE_COUNT]; /* for `init` */
    const struct states *states;
    uint32_t required; /* roles without which nothing can be relayed */
    uint32_t leased;   /* further ones that mode lease needs; 0: it is not possible */
    bool is_open;      /* `columns` may name further roles, `states` what the status holds */
    bool is_upgraded;  /* `init` adds what a table made elsewhere lacks */
};

/* NULL if there is none of that name. */
const struct layout *layout_find(const char *name);

/* What `columns` calls it, and errors. */
const char *role_name(enum role role);

#endif
