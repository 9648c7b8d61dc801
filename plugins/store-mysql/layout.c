/*
 * layout.c - what kinds of outbox tables there are, as data
 * SPDX-License-Identifier: MIT
 */
#include "layout.h"

#include <stddef.h>
#include <string.h>

static const char *const role_names[ROLE_COUNT] = {
    "event_id",       "event_type",   "partition_key", "payload",      "headers",
    "status",         "attempts",     "last_error",    "available_at", "locked_by",
    "locked_at",      "delivered_at", "created_at",    "updated_at",   "ordering_key",
    "aggregate_type", "aggregate_id", "seq",           "created_ts",
};

/* Instants are TIMESTAMP, which a producer's time zone does not change. */
#define INSTANT "TIMESTAMP(6) NULL DEFAULT NULL"
#define INSTANT_NOW "TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"
#define WORDS "VARCHAR(255) NULL"

#define EVERY_DEFINITION                                                                           \
    {                                                                                              \
        "BINARY(16) NOT NULL DEFAULT (UNHEX(REPLACE(UUID(), '-', '')))", "VARCHAR(255) NOT NULL",  \
            WORDS, "LONGBLOB NOT NULL", "JSON NOT NULL DEFAULT (JSON_OBJECT())", NULL,             \
            "INT NOT NULL DEFAULT 0", "TEXT NULL", INSTANT_NOW, "VARCHAR(128) NULL", INSTANT,      \
            INSTANT, INSTANT_NOW, INSTANT_NOW, WORDS, WORDS, WORDS,                                \
            "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT", NULL,                                       \
    }

/* In openoutbox the sequence is the primary key: rows lie in the order of insertion whatever ids
 * producers make, every other index stays small, and settling a claim touches pages that lie beside
 * each other. */
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
        .added = ROLE_BIT(ROLE_ORDERING_KEY) | ROLE_BIT(ROLE_AGGREGATE_TYPE) |
                 ROLE_BIT(ROLE_AGGREGATE_ID) | ROLE_BIT(ROLE_SEQ),
        .indexes = {{"PRIMARY KEY", NULL, {ROLE_SEQ, ROLE_NONE, ROLE_NONE}},
                    {"UNIQUE KEY", "event_id", {ROLE_EVENT_ID, ROLE_NONE, ROLE_NONE}}},
        .claim = {"KEY", "outbox_claim", {ROLE_STATUS, ROLE_AVAILABLE_AT, ROLE_SEQ}},
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
                [ROLE_EVENT_ID] = "BINARY(16) NOT NULL",
                [ROLE_EVENT_TYPE] = "VARCHAR(128) NOT NULL",
                [ROLE_PAYLOAD] = "JSON NOT NULL",
                [ROLE_HEADERS] = "JSON NULL",
                [ROLE_ATTEMPTS] = "INT NOT NULL DEFAULT 0",
                [ROLE_LAST_ERROR] = "VARCHAR(1024) NULL",
                [ROLE_DELIVERED_AT] = INSTANT,
                [ROLE_CREATED_AT] = INSTANT_NOW,
                [ROLE_UPDATED_AT] = INSTANT_NOW " ON UPDATE CURRENT_TIMESTAMP(6)",
                [ROLE_AGGREGATE_TYPE] = "VARCHAR(128) NOT NULL",
                [ROLE_AGGREGATE_ID] = "VARCHAR(128) NOT NULL",
            },
        .states = &states_velmie,
        .required = ROLE_BIT(ROLE_EVENT_ID) | ROLE_BIT(ROLE_EVENT_TYPE) | ROLE_BIT(ROLE_PAYLOAD) |
                    ROLE_BIT(ROLE_STATUS) | ROLE_BIT(ROLE_ATTEMPTS) | ROLE_BIT(ROLE_LAST_ERROR) |
                    ROLE_BIT(ROLE_DELIVERED_AT) | ROLE_BIT(ROLE_CREATED_AT),
        .indexes = {{"PRIMARY KEY", NULL, {ROLE_EVENT_ID, ROLE_CREATED_TS, ROLE_NONE}}},
        .claim = {"KEY", "outbox_claim", {ROLE_STATUS, ROLE_EVENT_ID, ROLE_NONE}},
    },
    {
        .name = "custom",
        .column = {[ROLE_EVENT_ID] = "id", [ROLE_EVENT_TYPE] = "type", [ROLE_PAYLOAD] = "payload"},
        .definition = EVERY_DEFINITION,
        .states = &states_openoutbox,
        .leased = ROLE_BIT(ROLE_STATUS) | ROLE_BIT(ROLE_ATTEMPTS) | ROLE_BIT(ROLE_AVAILABLE_AT) |
                  ROLE_BIT(ROLE_LOCKED_BY) | ROLE_BIT(ROLE_LOCKED_AT),
        .is_open = true,
        .indexes = {{"PRIMARY KEY", NULL, {ROLE_EVENT_ID, ROLE_CREATED_TS, ROLE_NONE}},
                    {"KEY", "outbox_seq", {ROLE_SEQ, ROLE_NONE, ROLE_NONE}}},
        .claim = {"KEY", "outbox_claim", {ROLE_STATUS, ROLE_AVAILABLE_AT, ROLE_SEQ}},
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
