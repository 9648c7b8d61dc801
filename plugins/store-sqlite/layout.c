/*
 * layout.c - what kinds of outbox tables there are, as data
 * SPDX-License-Identifier: MIT
 */
#include "layout.h"

static const char *const role_names[ROLE_COUNT] = {
    [ROLE_SEQ] = "seq",
    [ROLE_EVENT_ID] = "event_id",
    [ROLE_EVENT_TYPE] = "event_type",
    [ROLE_PARTITION_KEY] = "partition_key",
    [ROLE_ORDERING_KEY] = "ordering_key",
    [ROLE_AGGREGATE_TYPE] = "aggregate_type",
    [ROLE_AGGREGATE_ID] = "aggregate_id",
    [ROLE_CREATED_TS] = "created_ts",
    [ROLE_STATUS] = "status",
    [ROLE_ATTEMPTS] = "attempts",
    [ROLE_AVAILABLE_AT] = "available_at",
    [ROLE_LOCKED_BY] = "locked_by",
    [ROLE_LOCKED_AT] = "locked_at",
    [ROLE_DELIVERED_AT] = "delivered_at",
    [ROLE_CREATED_AT] = "created_at",
    [ROLE_UPDATED_AT] = "updated_at",
    [ROLE_LAST_ERROR] = "last_error",
    [ROLE_HEADERS] = "headers",
    [ROLE_PAYLOAD] = "payload",
};

#define NOW "TEXT NOT NULL DEFAULT (" CLOCK ")"
#define SECONDS "INTEGER NOT NULL DEFAULT (CAST(strftime('%s','now') AS INTEGER))"

/* The check of available_at is there because a time written otherwise ('T' for the blank, a number)
 * would sort wrong and make an event wait a day or for ever, without a word.
 *
 * No AUTOINCREMENT: a row number may come back once the last row was deleted, but among the rows
 * that are there a later row always has the higher one, and that is all that order needs;
 * AUTOINCREMENT would have every producer write to one more table. */
#define EVERY_DEFINITION                                                                           \
    {                                                                                              \
        [ROLE_SEQ] = "INTEGER PRIMARY KEY", [ROLE_EVENT_TYPE] = "TEXT NOT NULL",                   \
        [ROLE_PARTITION_KEY] = "TEXT", [ROLE_ORDERING_KEY] = "TEXT",                               \
        [ROLE_AGGREGATE_TYPE] = "TEXT", [ROLE_AGGREGATE_ID] = "TEXT", [ROLE_CREATED_TS] = SECONDS, \
        [ROLE_ATTEMPTS] = "INTEGER NOT NULL DEFAULT 0",                                            \
        [ROLE_AVAILABLE_AT] = NOW "\n        CHECK (" IS_TIME("{available_at}") ")",               \
        [ROLE_LOCKED_BY] = "TEXT", [ROLE_LOCKED_AT] = "TEXT", [ROLE_DELIVERED_AT] = "TEXT",        \
        [ROLE_CREATED_AT] = NOW, [ROLE_UPDATED_AT] = NOW, [ROLE_LAST_ERROR] = "TEXT",              \
        [ROLE_HEADERS] = "TEXT NOT NULL DEFAULT '{}'", [ROLE_PAYLOAD] = "BLOB NOT NULL",           \
    }

static const struct layout layouts[] = {
    {
        .name = "openoutbox",
        .table = "openoutbox_events",
        .column =
            {
                [ROLE_SEQ] = "seq",
                [ROLE_EVENT_ID] = "event_id",
                [ROLE_EVENT_TYPE] = "event_type",
                [ROLE_PARTITION_KEY] = "partition_key",
                [ROLE_ORDERING_KEY] = "ordering_key",
                [ROLE_AGGREGATE_TYPE] = "aggregate_type",
                [ROLE_AGGREGATE_ID] = "aggregate_id",
                [ROLE_STATUS] = "status",
                [ROLE_ATTEMPTS] = "attempts",
                [ROLE_AVAILABLE_AT] = "available_at",
                [ROLE_LOCKED_BY] = "locked_by",
                [ROLE_LOCKED_AT] = "locked_at",
                [ROLE_DELIVERED_AT] = "delivered_at",
                [ROLE_CREATED_AT] = "created_at",
                [ROLE_UPDATED_AT] = "updated_at",
                [ROLE_LAST_ERROR] = "last_error",
                [ROLE_HEADERS] = "headers",
                [ROLE_PAYLOAD] = "payload",
            },
        .definition = EVERY_DEFINITION,
        .states = &states_openoutbox,
        .required = ROLE_BIT(ROLE_EVENT_ID) | ROLE_BIT(ROLE_EVENT_TYPE) |
                    ROLE_BIT(ROLE_PARTITION_KEY) | ROLE_BIT(ROLE_PAYLOAD) | ROLE_BIT(ROLE_HEADERS) |
                    ROLE_BIT(ROLE_STATUS) | ROLE_BIT(ROLE_ATTEMPTS) | ROLE_BIT(ROLE_LAST_ERROR) |
                    ROLE_BIT(ROLE_AVAILABLE_AT) | ROLE_BIT(ROLE_DELIVERED_AT) |
                    ROLE_BIT(ROLE_CREATED_AT) | ROLE_BIT(ROLE_UPDATED_AT),
        .leased = ROLE_BIT(ROLE_LOCKED_BY) | ROLE_BIT(ROLE_LOCKED_AT),
        .added = ROLE_BIT(ROLE_ORDERING_KEY) | ROLE_BIT(ROLE_AGGREGATE_TYPE) |
                 ROLE_BIT(ROLE_AGGREGATE_ID),
    },
    {
        .name = "velmie",
        .table = "outbox",
        .column =
            {
                [ROLE_EVENT_ID] = "id",
                [ROLE_EVENT_TYPE] = "event_type",
                [ROLE_AGGREGATE_TYPE] = "aggregate_type",
                [ROLE_AGGREGATE_ID] = "aggregate_id",
                [ROLE_CREATED_TS] = "created_ts",
                [ROLE_STATUS] = "status",
                [ROLE_ATTEMPTS] = "attempt_count",
                [ROLE_DELIVERED_AT] = "processed_at",
                [ROLE_CREATED_AT] = "created_at",
                [ROLE_UPDATED_AT] = "updated_at",
                [ROLE_LAST_ERROR] = "last_error",
                [ROLE_HEADERS] = "headers",
                [ROLE_PAYLOAD] = "payload",
            },
        .definition =
            {
                [ROLE_EVENT_TYPE] = "TEXT NOT NULL",
                [ROLE_AGGREGATE_TYPE] = "TEXT NOT NULL",
                [ROLE_AGGREGATE_ID] = "TEXT NOT NULL",
                [ROLE_CREATED_TS] = SECONDS,
                [ROLE_ATTEMPTS] = "INTEGER NOT NULL DEFAULT 0",
                [ROLE_DELIVERED_AT] = "TEXT",
                [ROLE_CREATED_AT] = NOW,
                [ROLE_UPDATED_AT] = NOW,
                [ROLE_LAST_ERROR] = "VARCHAR(1024)",
                [ROLE_HEADERS] = "TEXT",
                [ROLE_PAYLOAD] = "TEXT NOT NULL\n        CHECK (CASE typeof({payload}) WHEN 'text' "
                                 "THEN json_valid({payload}) ELSE 0 END)",
            },
        .states = &states_velmie,
        .required = ROLE_BIT(ROLE_EVENT_ID) | ROLE_BIT(ROLE_EVENT_TYPE) | ROLE_BIT(ROLE_PAYLOAD) |
                    ROLE_BIT(ROLE_STATUS) | ROLE_BIT(ROLE_ATTEMPTS) | ROLE_BIT(ROLE_LAST_ERROR) |
                    ROLE_BIT(ROLE_DELIVERED_AT) | ROLE_BIT(ROLE_CREATED_AT),
        .by_id = true,
    },
    {
        .name = "custom",
        .column = {[ROLE_EVENT_ID] = "id", [ROLE_EVENT_TYPE] = "type", [ROLE_PAYLOAD] = "payload"},
        .definition = EVERY_DEFINITION,
        .states = &states_openoutbox,
        .leased = ROLE_BIT(ROLE_STATUS) | ROLE_BIT(ROLE_ATTEMPTS) | ROLE_BIT(ROLE_AVAILABLE_AT) |
                  ROLE_BIT(ROLE_LOCKED_BY) | ROLE_BIT(ROLE_LOCKED_AT),
        .is_open = true,
    },
};

const struct layout *layout_find(const char *name)
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
        if (strcmp(layouts[i].name, name) == 0)
            return &layouts[i];
    return NULL;
}

const char *role_name(enum role role)
{
    return role_names[role];
}

enum role role_find(struct outbox_slice name)
{
    int role = 0;
    while (role < ROLE_COUNT && (strlen(role_names[role]) != name.len ||
                                 memcmp(role_names[role], name.data, (size_t)name.len) != 0))
        role++;
    return (enum role)role;
}
