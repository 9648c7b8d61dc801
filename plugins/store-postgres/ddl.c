/*
 * ddl.c - the SQL that makes or upgrades the table
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdlib.h>

static const char *const definitions[ROLE_COUNT] = {
    [ROLE_EVENT_ID] = "uuid PRIMARY KEY DEFAULT gen_random_uuid()",
    [ROLE_EVENT_TYPE] = "text NOT NULL",
    [ROLE_PARTITION_KEY] = "text",
    [ROLE_PAYLOAD] = "bytea NOT NULL",
    [ROLE_HEADERS] = "jsonb NOT NULL DEFAULT '{}'",
    [ROLE_STATUS] = "text NOT NULL DEFAULT 'PENDING'",
    [ROLE_ATTEMPTS] = "integer NOT NULL DEFAULT 0",
    [ROLE_LAST_ERROR] = "text",
    [ROLE_AVAILABLE_AT] = "timestamp with time zone NOT NULL DEFAULT now()",
    [ROLE_LOCKED_BY] = "text",
    [ROLE_LOCKED_AT] = "timestamp with time zone",
    [ROLE_DELIVERED_AT] = "timestamp with time zone",
    [ROLE_CREATED_AT] = "timestamp with time zone NOT NULL DEFAULT now()",
    [ROLE_UPDATED_AT] = "timestamp with time zone NOT NULL DEFAULT now()",
    [ROLE_ORDERING_KEY] = "text",
    [ROLE_AGGREGATE_TYPE] = "text",
    [ROLE_AGGREGATE_ID] = "text",
    [ROLE_SEQ] = "bigint GENERATED ALWAYS AS IDENTITY",
};

static const char *const comments[DDL_STEP_COUNT] = {
    [DDL_TABLE] =
        "-- The outbox. Vacuum comes early and often: every event leaves dead rows behind.",
    [DDL_COLUMNS] =
        "-- What a table made elsewhere lacks. The identity column rewrites a table that does not\n"
        "-- have it, and keeps everybody out meanwhile: mind the hour on a large one.",
    [DDL_CLAIM_INDEX] = "-- Where claims begin.",
    [DDL_LEASE_INDEX] = "-- Where expired leases are found.",
    [DDL_DEAD_INDEX] = "-- Dead events, for counting and pruning.",
    [DDL_FUNCTION] = "-- Wakes a sleeping relay. Only a relay that sleeps holds the lock that is "
                     "tried here; both halves\n"
                     "-- stand in one expression, so that no interrupt falls between them.",
    [DDL_TRIGGER] = "-- Optional: without it the relay polls.",
};

const char *ddl_comment(enum ddl_step step)
{
    return comments[step];
}

static void add_table(struct buffer *sql, const struct names *names)
{
    buffer_text(sql, "CREATE TABLE IF NOT EXISTS %s (\n", names->table);
    for (int role = 0; role < ROLE_COUNT; role++)
        buffer_text(sql, "    %s %s,\n", names->quoted[role], definitions[role]);
    buffer_text(sql, "    CHECK (%s IN ('PENDING', 'DELIVERING', 'DELIVERED', 'DEAD'))\n",
                names->quoted[ROLE_STATUS]);
    buffer_text(sql, ") WITH (autovacuum_vacuum_scale_factor = 0.01,"
                     " autovacuum_vacuum_threshold = 5000,\n"
                     "        autovacuum_analyze_scale_factor = 0.05,"
                     " autovacuum_vacuum_cost_limit = 2000)");
}

static void add_columns(struct buffer *sql, const struct names *names)
{
    buffer_text(sql, "ALTER TABLE %s", names->table);
    for (int role = ROLE_ORDERING_KEY; role < ROLE_COUNT; role++)
        buffer_text(sql, "%s\n    ADD COLUMN IF NOT EXISTS %s %s",
                    role == ROLE_ORDERING_KEY ? "" : ",", names->quoted[role], definitions[role]);
}

/* Index names share a schema with the tables, and are cut at 63 bytes. */
static void add_index(struct buffer *sql, const struct names *names, const char *purpose,
                      enum role first, enum role second, const char *state)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%.48s_%s", names->relation, purpose);
    char *quoted = quote_identifier(name, strlen(name));
    if (!quoted) {
        sql->failed = true;
        return;
    }
    buffer_text(sql, "CREATE INDEX IF NOT EXISTS %s ON %s (%s", quoted, names->table,
                names->quoted[first]);
    if (second != first)
        buffer_text(sql, ", %s", names->quoted[second]);
    buffer_text(sql, ")\n    WHERE %s = '%s'", names->quoted[ROLE_STATUS], state);
    free(quoted);
}

static void add_function_name(struct buffer *sql, const struct names *names)
{
    buffer_text(sql, "%s%soutbox_relay_wake()", names->schema ? names->schema : "",
                names->schema ? "." : "");
}

static void add_function(struct buffer *sql, const struct names *names)
{
    buffer_text(sql, "CREATE OR REPLACE FUNCTION ");
    add_function_name(sql, names);
    buffer_text(sql,
                " RETURNS trigger LANGUAGE plpgsql AS $wake$\n"
                "BEGIN\n"
                "    IF NOT (pg_catalog.pg_try_advisory_lock_shared(%d, TG_RELID::int)\n"
                "            AND pg_catalog.pg_advisory_unlock_shared(%d, TG_RELID::int)) THEN\n"
                "        PERFORM pg_catalog.pg_notify('outbox_wake_' || TG_RELID, '');\n"
                "    END IF;\n"
                "    RETURN NULL;\n"
                "END\n"
                "$wake$",
                LOCK_AWAKE, LOCK_AWAKE);
}

static void add_trigger(struct buffer *sql, const struct names *names)
{
    buffer_text(sql,
                "CREATE OR REPLACE TRIGGER outbox_relay_wake AFTER INSERT ON %s\n"
                "    FOR EACH STATEMENT EXECUTE FUNCTION ",
                names->table);
    add_function_name(sql, names);
}

char *ddl_text(enum ddl_step step, const struct names *names)
{
    struct buffer sql = {0};
    switch (step) {
    case DDL_TABLE:
        add_table(&sql, names);
        break;
    case DDL_COLUMNS:
        add_columns(&sql, names);
        break;
    case DDL_CLAIM_INDEX:
        add_index(&sql, names, "claim", ROLE_AVAILABLE_AT, ROLE_SEQ, "PENDING");
        break;
    case DDL_LEASE_INDEX:
        add_index(&sql, names, "lease", ROLE_LOCKED_AT, ROLE_LOCKED_AT, "DELIVERING");
        break;
    case DDL_DEAD_INDEX:
        add_index(&sql, names, "dead", ROLE_UPDATED_AT, ROLE_UPDATED_AT, "DEAD");
        break;
    case DDL_FUNCTION:
        add_function(&sql, names);
        break;
    case DDL_TRIGGER:
    case DDL_STEP_COUNT:
        add_trigger(&sql, names);
        break;
    }
    return buffer_take(&sql);
}
