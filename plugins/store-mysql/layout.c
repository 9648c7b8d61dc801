/*
 * layout.c - what kinds of outbox tables there are, as data
 * SPDX-License-Identifier: MIT
 */
#include "layout.h"

#include <stddef.h>
#include <string.h>

static const char *const role_names[ROLE_COUNT] = {
    "event_id",   "event_type", "partition_key", "payload",        "headers",      "status",
    "attempts",   "last_error", "available_at",  "locked_by",      "locked_at",    "delivered_at",
    "created_at", "updated_at", "ordering_key",  "aggregate_type", "aggregate_id", "seq",
};

/* Instants are TIMESTAMP, which a producer's time zone does not change. The sequence is the primary
 * key: rows lie in the order of insertion whatever ids producers make, every other index stays
 * small, and settling a claim touches pages that lie beside each other. */
static const struct layout layouts[] = {
    {
        .name = "openoutbox",
        .column =
            {
                "event_id",
                "event_type",
                "partition_key",
                "payload",
                "headers",
                "status",
                "attempts",
                "last_error",
                "available_at",
                "locked_by",
                "locked_at",
                "delivered_at",
                "created_at",
                "updated_at",
                "ordering_key",
                "aggregate_type",
                "aggregate_id",
                "seq",
            },
        .definition =
            {
                "BINARY(16) NOT NULL DEFAULT (UNHEX(REPLACE(UUID(), '-', '')))",
                "VARCHAR(255) NOT NULL",
                "VARCHAR(255) NULL",
                "LONGBLOB NOT NULL",
                "JSON NOT NULL DEFAULT (JSON_OBJECT())",
                "ENUM('PENDING', 'DELIVERING', 'DELIVERED', 'DEAD') NOT NULL DEFAULT 'PENDING'",
                "INT NOT NULL DEFAULT 0",
                "TEXT NULL",
                "TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)",
                "VARCHAR(128) NULL",
                "TIMESTAMP(6) NULL DEFAULT NULL",
                "TIMESTAMP(6) NULL DEFAULT NULL",
                "TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)",
                "TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)",
                "VARCHAR(255) NULL",
                "VARCHAR(255) NULL",
                "VARCHAR(255) NULL",
                "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT",
            },
        .state = {"'PENDING'", "'DELIVERING'", "'DELIVERED'", "'DEAD'"},
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
