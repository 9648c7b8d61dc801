/*
 * layout.c - what kinds of outbox tables there are, as data
 * SPDX-License-Identifier: MIT
 */
#include "layout.h"

static const char *const role_names[ROLE_COUNT] = {
    "event_id",       "event_type",   "partition_key", "payload",      "headers",
    "status",         "attempts",     "last_error",    "available_at", "locked_by",
    "locked_at",      "delivered_at", "created_at",    "updated_at",   "ordering_key",
    "aggregate_type", "aggregate_id", "seq",           "created_ts",
};

#define INSTANT "timestamp with time zone"

/* The first 48 bits of a UUID v7 are milliseconds. */
#define SECONDS_OF_ID                                                                              \
    "bigint GENERATED ALWAYS AS"                                                                   \
    " (('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000) STORED NOT NULL"

#define EVERY_DEFINITION                                                                           \
    {                                                                                              \
        "uuid PRIMARY KEY DEFAULT gen_random_uuid()", "text NOT NULL", "text", "bytea NOT NULL",   \
            "jsonb NOT NULL DEFAULT '{}'", "text NOT NULL", "integer NOT NULL DEFAULT 0", "text",  \
            INSTANT " NOT NULL DEFAULT now()", "text", INSTANT, INSTANT,                           \
            INSTANT " NOT NULL DEFAULT now()", INSTANT " NOT NULL DEFAULT now()", "text", "text",  \
            "text", "bigint GENERATED ALWAYS AS IDENTITY", "bigint",                               \
    }

static const struct layout layouts[] = {
    {
        .name = "openoutbox",
        .table = "openoutbox_events",
        .column = {"event_id", "event_type", "partition_key", "payload", "headers", "status",
                   "attempts", "last_error", "available_at", "locked_by", "locked_at",
                   "delivered_at", "created_at", "updated_at", "ordering_key", "aggregate_type",
                   "aggregate_id", "seq", NULL},
        .definition = EVERY_DEFINITION,
        .states = &states_openoutbox,
        .required = ROLE_BIT(ROLE_EVENT_ID) | ROLE_BIT(ROLE_EVENT_TYPE) | ROLE_BIT(ROLE_PAYLOAD) |
                    ROLE_BIT(ROLE_STATUS) | ROLE_BIT(ROLE_ATTEMPTS) | ROLE_BIT(ROLE_LAST_ERROR) |
                    ROLE_BIT(ROLE_AVAILABLE_AT) | ROLE_BIT(ROLE_DELIVERED_AT) |
                    ROLE_BIT(ROLE_CREATED_AT),
        .leased = ROLE_BIT(ROLE_LOCKED_BY) | ROLE_BIT(ROLE_LOCKED_AT),
        .is_upgraded = true,
    },
    {
        .name = "velmie",
        .table = "outbox",
        .column =
            {
                [ROLE_EVENT_ID] = "id",
                [ROLE_EVENT_TYPE] = "event_type",
                [ROLE_PAYLOAD] = "payload",
                [ROLE_HEADERS] = "headers",
                [ROLE_STATUS] = "status",
                [ROLE_ATTEMPTS] = "attempt_count",
                [ROLE_LAST_ERROR] = "last_error",
                [ROLE_DELIVERED_AT] = "processed_at",
                [ROLE_CREATED_AT] = "created_at",
                [ROLE_UPDATED_AT] = "updated_at",
                [ROLE_AGGREGATE_TYPE] = "aggregate_type",
                [ROLE_AGGREGATE_ID] = "aggregate_id",
                [ROLE_CREATED_TS] = "created_ts",
            },
        .definition =
            {
                [ROLE_EVENT_ID] = "uuid NOT NULL",
                [ROLE_EVENT_TYPE] = "varchar(128) NOT NULL",
                [ROLE_PAYLOAD] = "json NOT NULL",
                [ROLE_HEADERS] = "json",
                [ROLE_STATUS] = "smallint NOT NULL", /* all its states are numbers */
                [ROLE_ATTEMPTS] = "integer NOT NULL DEFAULT 0",
                [ROLE_LAST_ERROR] = "varchar(1024)",
                [ROLE_DELIVERED_AT] = INSTANT,
                [ROLE_CREATED_AT] = INSTANT " NOT NULL DEFAULT now()",
                [ROLE_UPDATED_AT] = INSTANT " NOT NULL DEFAULT now()",
                [ROLE_AGGREGATE_TYPE] = "varchar(128) NOT NULL",
                [ROLE_AGGREGATE_ID] = "varchar(128) NOT NULL",
                [ROLE_CREATED_TS] = SECONDS_OF_ID,
            },
        .states = &states_velmie,
        .required = ROLE_BIT(ROLE_EVENT_ID) | ROLE_BIT(ROLE_EVENT_TYPE) | ROLE_BIT(ROLE_PAYLOAD) |
                    ROLE_BIT(ROLE_STATUS) | ROLE_BIT(ROLE_ATTEMPTS) | ROLE_BIT(ROLE_LAST_ERROR) |
                    ROLE_BIT(ROLE_DELIVERED_AT) | ROLE_BIT(ROLE_CREATED_AT),
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
