/*
 * ddl.c - the SQL that makes or upgrades the table
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

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

static void add_index(struct buffer *sql, const struct names *names,
                      const struct layout_index *index)
{
    buffer_text(sql, "%s ", index->kind);
    if (index->name)
        buffer_text(sql, "`%s` ", index->name);
    for (int i = 0; i < INDEX_COLUMNS && index->columns[i] != ROLE_NONE; i++)
        buffer_text(sql, "%s%s", i == 0 ? "(" : ", ", names->quoted[index->columns[i]]);
    buffer_text(sql, ")");
}

static void add_table(struct buffer *sql, const struct outbox_store *store)
{
    const struct layout *layout = store->layout;
    const struct names *names = &store->names;
    buffer_text(sql, "CREATE TABLE IF NOT EXISTS %s (\n", names->table);
    for (int role = 0; role < ROLE_COUNT; role++)
        if (names->quoted[role])
            buffer_text(sql, "    %s %s,\n", names->quoted[role], layout->definition[role]);
    for (int i = 0; i < LAYOUT_INDEXES && layout->indexes[i].kind; i++) {
        buffer_text(sql, "    ");
        add_index(sql, names, &layout->indexes[i]);
        buffer_text(sql, ",\n");
    }
    buffer_text(sql, "    ");
    add_index(sql, names, &layout->claim);
    buffer_text(sql, "\n) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin");
}

/* A column that counts up has to begin an index. */
static void add_columns(struct buffer *sql, const struct outbox_store *store,
                        const struct table *table)
{
    const struct layout *layout = store->layout;
    const struct names *names = &store->names;
    bool first = true;
    buffer_text(sql, "ALTER TABLE %s", names->table);
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (!(layout->added & ROLE_BIT(role)) || (table && table_has(table, (enum role)role)))
            continue;
        buffer_text(sql, "%s\n    ADD COLUMN %s %s", first ? "" : ",", names->quoted[role],
                    layout->definition[role]);
        if (strstr(layout->definition[role], "AUTO_INCREMENT"))
            buffer_text(sql, ",\n    ADD UNIQUE KEY `outbox_%s` (%s)", role_name((enum role)role),
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
        add_index(&sql, &store->names, &store->layout->claim);
        break;
    }
    return buffer_take(&sql);
}
