/*
 * names.h - what the table and its columns are called, checked and quoted
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_POSTGRES_NAMES_H
#define STORE_POSTGRES_NAMES_H

#include <outbox/types.h>

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
    ROLE_COUNT
};

struct names {
    char *table;              /* quoted, with its schema if one was given */
    char *schema;             /* quoted, NULL if none was given */
    char *relation;           /* as it is, without the schema */
    char *column[ROLE_COUNT]; /* as it is */
    char *quoted[ROLE_COUNT];
};

const char *role_name(enum role role);

/* Checks and quotes. INVALID names what is wrong. Clear it also after a failure. */
enum outbox_status names_init(struct names *names, const char *table,
                              const struct outbox_setting *columns,
                              struct outbox_error *error) OUTBOX_MUST_USE;
void names_clear(struct names *names);

/* Quoted, malloc'ed; NULL if memory ran out. */
char *quote_identifier(const char *text, size_t len) OUTBOX_MUST_USE;

#endif
