/*
 * ddl.c - the SQL that makes or upgrades the table
 * SPDX-License-Identifier: MIT
 *
 * It is written without a server, so it is the same for both makes: where they differ, each has its
 * part in a comment that only it reads.
 */
#include "driver.h"
#include "periods.h"

#include <stdlib.h>

static const char *const comments[DDL_STEP_COUNT] = {
    [DDL_TABLE] = "-- The outbox.",
    [DDL_COLUMNS] = "-- What a table made elsewhere lacks. A column that counts up copies the "
                    "whole table, and\n"
                    "-- keeps producers out meanwhile: mind the hour on a large one.",
    [DDL_CLAIM_INDEX] = "-- Where claims begin, and expired leases are found.",
};

const char *ddl_comment(enum ddl_step step)
{
    return comments[step];
}

static bool has(const struct outbox_store *store, enum role role)
{
    return role != ROLE_NONE && store->names.column[role];
}

/* What the claim index begins with; without it the key, or an index on the sequence, does as well.
 */
static bool has_claim_index(const struct outbox_store *store)
{
    return has(store, ROLE_STATUS) || has(store, ROLE_AVAILABLE_AT);
}

bool ddl_has(enum ddl_step step, const struct outbox_store *store)
{
    switch (step) {
    case DDL_COLUMNS:
        return store->layout->added != 0;
    case DDL_CLAIM_INDEX:
        return has_claim_index(store);
    default:
        return true;
    }
}

/* ---- Columns ------------------------------------------------------------------------------ */

/* Numbers where every state is one, else the words. */
static void add_status(struct buffer *sql, const struct outbox_store *store)
{
    enum state misfit;
    bool numbers = states_fit(&store->states, STATE_AS_INTEGER, &misfit);
    enum state_kind kind = numbers ? STATE_AS_INTEGER : STATE_AS_TEXT;
    const char *comma = "";
    buffer_text(sql, numbers ? "SMALLINT" : "ENUM(");
    for (enum state state = STATE_PENDING; state < STATE_COUNT && !numbers; state++) {
        if (!states_have(&store->states, state))
            continue;
        buffer_text(sql, "%s", comma);
        states_literal(&store->states, state, kind, sql);
        comma = ", ";
    }
    buffer_text(sql, "%s NOT NULL DEFAULT ", numbers ? "" : ")");
    states_literal(&store->states, STATE_PENDING, kind, sql);
}

/* The first 48 bits of a UUID of version 7 are milliseconds. MariaDB has no generated columns in a
 * primary key (1903), but defaults that look at another column. */
static void add_seconds(struct buffer *sql, const struct outbox_store *store)
{
    const char *id = store->names.quoted[ROLE_EVENT_ID];
    static const char made[] = "(CAST(CONV(HEX(LEFT(%s, 6)), 16, 10) AS UNSIGNED) DIV 1000)";
    buffer_text(sql, "BIGINT\n        /*!80000 GENERATED ALWAYS AS ");
    buffer_text(sql, made, id);
    buffer_text(sql, " STORED NOT NULL */\n        /*M! NOT NULL DEFAULT ");
    buffer_text(sql, made, id);
    buffer_text(sql, " */");
}

static void add_column(struct buffer *sql, const struct outbox_store *store, enum role role)
{
    buffer_text(sql, "%s ", store->names.quoted[role]);
    if (role == ROLE_STATUS)
        add_status(sql, store);
    else if (role == ROLE_CREATED_TS)
        add_seconds(sql, store);
    else if (role == ROLE_PAYLOAD && store->settings.binary_payload)
        buffer_text(sql, "LONGBLOB NOT NULL");
    else
        buffer_text(sql, "%s", store->layout->definition[role]);
}

/* ---- Indexes ------------------------------------------------------------------------------ */

/* Of those of its columns that the table has. */
static void add_index(struct buffer *sql, const struct outbox_store *store,
                      const struct layout_index *index)
{
    const char *open = "(";
    buffer_text(sql, "%s ", index->kind);
    if (index->name)
        buffer_text(sql, "`%s` ", index->name);
    for (int i = 0; i < INDEX_COLUMNS; i++) {
        if (!has(store, index->columns[i]))
            continue;
        buffer_text(sql, "%s%s", open, store->names.quoted[index->columns[i]]);
        open = ", ";
    }
    buffer_text(sql, ")");
}

/* ---- Partitions --------------------------------------------------------------------------- */

/* The partitions of the time to come; what is beyond is in the last one, which is there to be
 * split. The names need a date, so this alone is made of the relay's clock. */
static void add_partitions(struct buffer *sql, const struct outbox_store *store)
{
    enum partition partition = store->settings.partition;
    enum outbox_partition_period period =
        partition == PARTITION_BY_DAY ? OUTBOX_PERIOD_DAY : OUTBOX_PERIOD_MONTH;
    char name[PERIOD_NAME];
    if (partition == PARTITION_NONE)
        return;
    buffer_text(sql, "\nPARTITION BY RANGE (%s) (\n", store->names.quoted[ROLE_CREATED_TS]);
    int64_t at = (int64_t)time(NULL) * 1000000;
    for (int i = 0; i < (partition == PARTITION_BY_DAY ? DDL_DAYS : DDL_MONTHS); i++) {
        period_name(period, at, name);
        at = period_next(period, at);
        buffer_text(sql, "    PARTITION %s VALUES LESS THAN (%lld),\n", name,
                    (long long)(at / 1000000));
    }
    buffer_text(sql, "    PARTITION pmax VALUES LESS THAN MAXVALUE\n)");
}

/* ---- Steps -------------------------------------------------------------------------------- */

static void add_table(struct buffer *sql, const struct outbox_store *store)
{
    const struct layout *layout = store->layout;
    buffer_text(sql, "CREATE TABLE IF NOT EXISTS %s (\n", store->names.table);
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (!has(store, role))
            continue;
        buffer_text(sql, "    ");
        add_column(sql, store, role);
        buffer_text(sql, ",\n");
    }
    const char *comma = "";
    for (int i = 0; i < LAYOUT_INDEXES && layout->indexes[i].kind; i++) {
        if (!has(store, layout->indexes[i].columns[0]))
            continue;
        buffer_text(sql, "%s    ", comma);
        add_index(sql, store, &layout->indexes[i]);
        comma = ",\n";
    }
    if (has_claim_index(store)) {
        buffer_text(sql, "%s    ", comma);
        add_index(sql, store, &layout->claim);
    }
    buffer_text(sql, "\n) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin");
    add_partitions(sql, store);
}

/* A column that counts up has to begin an index. */
static void add_columns(struct buffer *sql, const struct outbox_store *store,
                        const struct table *table)
{
    const struct layout *layout = store->layout;
    const struct names *names = &store->names;
    bool first = true;
    buffer_text(sql, "ALTER TABLE %s", names->table);
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (!(layout->added & ROLE_BIT(role)) || (table && table_has(table, role)))
            continue;
        buffer_text(sql, "%s\n    ADD COLUMN ", first ? "" : ",");
        add_column(sql, store, role);
        if (strstr(layout->definition[role], "AUTO_INCREMENT"))
            buffer_text(sql, ",\n    ADD UNIQUE KEY `outbox_%s` (%s)", role_name(role),
                        names->quoted[role]);
        first = false;
    }
}

char *ddl_text(enum ddl_step step, const struct outbox_store *store, const struct table *table)
{
    struct buffer sql = {0};
    switch (step) {
    case DDL_TABLE:
        add_table(&sql, store);
        break;
    case DDL_COLUMNS:
        add_columns(&sql, store, table);
        break;
    case DDL_CLAIM_INDEX:
    case DDL_STEP_COUNT:
        buffer_text(&sql, "ALTER TABLE %s ADD ", store->names.table);
        add_index(&sql, store, &store->layout->claim);
        break;
    }
    return buffer_take(&sql);
}
