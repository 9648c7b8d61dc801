/*
 * ddl.c - the SQL that makes or upgrades the table
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdlib.h>

static const char *const comments[DDL_STEP_COUNT] = {
    [DDL_TABLE] =
        "-- The outbox. Vacuum comes early and often: every event leaves dead rows behind.",
    [DDL_DEFAULT] = "-- Holds the events of a time that has no partition. `outbox-relay "
                    "partitions` makes those, "
                    "from the\n-- first day on, and can make none for a time of which there are "
                    "events in here.",
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

const char ddl_storage[] = " WITH (autovacuum_vacuum_scale_factor = 0.01,"
                           " autovacuum_vacuum_threshold = 5000,\n"
                           "        autovacuum_analyze_scale_factor = 0.05,"
                           " autovacuum_vacuum_cost_limit = 2000)";

const char *ddl_comment(enum ddl_step step)
{
    return comments[step];
}

static bool has(const struct outbox_store *store, enum role role)
{
    return store->names.column[role] != NULL;
}

/* An id or an insertion sequence: what the claim index ends with. */
static enum role tie_of(const struct outbox_store *store)
{
    return has(store, ROLE_SEQ) ? ROLE_SEQ : ROLE_EVENT_ID;
}

bool ddl_has(enum ddl_step step, const struct outbox_store *store)
{
    switch (step) {
    case DDL_DEFAULT:
        return store->settings.partition != 0;
    case DDL_COLUMNS:
        return store->layout->is_upgraded;
    case DDL_CLAIM_INDEX: /* the primary key does as well where nothing but an id is asked for */
        return has(store, ROLE_STATUS) || has(store, ROLE_AVAILABLE_AT) || has(store, ROLE_SEQ);
    case DDL_LEASE_INDEX:
        return has(store, ROLE_STATUS) && has(store, ROLE_LOCKED_AT) &&
               states_have(&store->states, STATE_DELIVERING);
    case DDL_DEAD_INDEX:
        return has(store, ROLE_STATUS) && has(store, ROLE_UPDATED_AT) &&
               states_have(&store->states, STATE_DEAD) && has(store, ROLE_AVAILABLE_AT);
    default:
        return true;
    }
}

/* Numbers where every state is one. */
static enum state_kind state_kind(const struct outbox_store *store)
{
    enum state misfit;
    return states_fit(&store->states, STATE_AS_INTEGER, &misfit) ? STATE_AS_INTEGER : STATE_AS_TEXT;
}

static const char *type_of(const struct outbox_store *store, enum role role)
{
    if (role == ROLE_PAYLOAD && store->settings.binary_payload)
        return "bytea NOT NULL";
    if (role == ROLE_STATUS && state_kind(store) == STATE_AS_INTEGER)
        return "smallint NOT NULL";
    if (role == ROLE_EVENT_ID && store->settings.partition)
        return "uuid NOT NULL DEFAULT gen_random_uuid()";
    return store->layout->definition[role];
}

static void add_states(struct buffer *sql, const struct outbox_store *store)
{
    const char *comma = "";
    buffer_text(sql, "    CHECK (%s IN (", store->names.quoted[ROLE_STATUS]);
    for (enum state state = STATE_PENDING; state < STATE_COUNT; state++) {
        if (!states_have(&store->states, state))
            continue;
        buffer_text(sql, "%s", comma);
        states_literal(&store->states, state, state_kind(store), sql);
        comma = ", ";
    }
    buffer_text(sql, "))");
}

static void add_constraint(struct buffer *sql, const struct outbox_store *store)
{
    const struct names *names = &store->names;
    enum role second = store->settings.partition ? ROLE_CREATED_AT : ROLE_CREATED_TS;
    if (has(store, second)) /* what a table is partitioned by must be in each unique key */
        buffer_text(sql, ",\n    PRIMARY KEY (%s, %s)", names->quoted[ROLE_EVENT_ID],
                    names->quoted[second]);
    if (has(store, ROLE_STATUS)) {
        buffer_text(sql, ",\n");
        add_states(sql, store);
    }
}

static void add_table(struct buffer *sql, const struct outbox_store *store)
{
    const struct names *names = &store->names;
    const char *comma = "";
    buffer_text(sql, "CREATE TABLE IF NOT EXISTS %s (\n", names->table);
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (!has(store, (enum role)role))
            continue;
        buffer_text(sql, "%s    %s %s", comma, names->quoted[role],
                    type_of(store, (enum role)role));
        if (role == ROLE_STATUS) {
            buffer_text(sql, " DEFAULT ");
            states_literal(&store->states, STATE_PENDING, state_kind(store), sql);
        }
        comma = ",\n";
    }
    add_constraint(sql, store);
    if (store->settings.partition)
        buffer_text(sql, "\n) PARTITION BY RANGE (%s)", names->quoted[ROLE_CREATED_AT]);
    else
        buffer_text(sql, "\n)%s", ddl_storage);
}

static void add_default(struct buffer *sql, const struct names *names)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%.48s_default", names->relation);
    char *quoted = quote_identifier(name, strlen(name));
    if (!quoted) {
        sql->failed = true;
        return;
    }
    buffer_text(sql, "CREATE TABLE IF NOT EXISTS %s%s%s PARTITION OF %s DEFAULT\n   %s",
                names->schema ? names->schema : "", names->schema ? "." : "", quoted, names->table,
                ddl_storage);
    free(quoted);
}

static void add_columns(struct buffer *sql, const struct outbox_store *store)
{
    const struct names *names = &store->names;
    buffer_text(sql, "ALTER TABLE %s", names->table);
    for (int role = ROLE_ORDERING_KEY; role <= ROLE_SEQ; role++)
        buffer_text(sql, "%s\n    ADD COLUMN IF NOT EXISTS %s %s",
                    role == ROLE_ORDERING_KEY ? "" : ",", names->quoted[role],
                    store->layout->definition[role]);
}

/* Index names share a schema with the tables, and are cut at 63 bytes. */
static void begin_index(struct buffer *sql, const struct names *names, const char *purpose)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%.48s_%s", names->relation, purpose);
    char *quoted = quote_identifier(name, strlen(name));
    if (!quoted) {
        sql->failed = true;
        return;
    }
    buffer_text(sql, "CREATE INDEX IF NOT EXISTS %s ON %s (", quoted, names->table);
    free(quoted);
}

static void end_index(struct buffer *sql, const struct outbox_store *store, enum state state)
{
    buffer_text(sql, ")\n    WHERE %s = ", store->names.quoted[ROLE_STATUS]);
    states_literal(&store->states, state, state_kind(store), sql);
}

/* Layout velmie has its own, on (status, id) of all rows. */
static void add_claim_index(struct buffer *sql, const struct outbox_store *store)
{
    const struct names *names = &store->names;
    bool whole = has(store, ROLE_STATUS) && !has(store, ROLE_AVAILABLE_AT);
    begin_index(sql, names, "claim");
    if (whole)
        buffer_text(sql, "%s, ", names->quoted[ROLE_STATUS]);
    if (has(store, ROLE_AVAILABLE_AT))
        buffer_text(sql, "%s, ", names->quoted[ROLE_AVAILABLE_AT]);
    buffer_text(sql, "%s", names->quoted[tie_of(store)]);
    if (has(store, ROLE_STATUS) && !whole)
        end_index(sql, store, STATE_PENDING);
    else
        buffer_text(sql, ")");
}

static void add_state_index(struct buffer *sql, const struct outbox_store *store,
                            const char *purpose, enum role role, enum state state)
{
    begin_index(sql, &store->names, purpose);
    buffer_text(sql, "%s", store->names.quoted[role]);
    end_index(sql, store, state);
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

char *ddl_text(enum ddl_step step, const struct outbox_store *store)
{
    struct buffer sql = {0};
    switch (step) {
    case DDL_TABLE:
        add_table(&sql, store);
        break;
    case DDL_DEFAULT:
        add_default(&sql, &store->names);
        break;
    case DDL_COLUMNS:
        add_columns(&sql, store);
        break;
    case DDL_CLAIM_INDEX:
        add_claim_index(&sql, store);
        break;
    case DDL_LEASE_INDEX:
        add_state_index(&sql, store, "lease", ROLE_LOCKED_AT, STATE_DELIVERING);
        break;
    case DDL_DEAD_INDEX:
        add_state_index(&sql, store, "dead", ROLE_UPDATED_AT, STATE_DEAD);
        break;
    case DDL_FUNCTION:
        add_function(&sql, &store->names);
        break;
    case DDL_TRIGGER:
    case DDL_STEP_COUNT:
        add_trigger(&sql, &store->names);
        break;
    }
    return buffer_take(&sql);
}
