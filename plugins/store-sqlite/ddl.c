/*
 * ddl.c - the SQL that makes or upgrades the table
 * SPDX-License-Identifier: MIT
 */
#include "ddl.h"

#include "session.h"

const struct ddl_index ddl_indexes[DDL_INDEX_COUNT] = {
    {STATEMENT_CLAIM,
     "CREATE INDEX IF NOT EXISTS {index:pending} ON {table} "
     "([[available_at|{available_at}]][[!available_at|{status}]])"
     "[[status| WHERE {status}={PENDING}]]",
     {ROLE_STATUS, ROLE_AVAILABLE_AT, ROLE_NONE},
     "every claim reads the whole table",
     false},
    {STATEMENT_CLAIM,
     "CREATE INDEX IF NOT EXISTS {index:status} ON {table} ({status},{event_id})",
     {ROLE_STATUS, ROLE_EVENT_ID, ROLE_NONE},
     "every claim reads the whole table",
     false},
    {STATEMENT_EXPIRED,
     "CREATE INDEX IF NOT EXISTS {index:delivering} ON {table} ({locked_at}) "
     "WHERE {status}={DELIVERING}",
     {ROLE_STATUS, ROLE_LOCKED_AT, ROLE_NONE},
     "looking for expired leases reads the whole table",
     false},
    {STATEMENT_COUNT_DEAD,
     "CREATE INDEX IF NOT EXISTS {index:dead} ON {table} "
     "([[updated_at|{updated_at}]][[!updated_at|{status}]]) WHERE {status}={DEAD}",
     {ROLE_STATUS, ROLE_NONE, ROLE_NONE},
     "the number of dead events is not known",
     false},
    {STATEMENT_DELIVERED,
     "CREATE UNIQUE INDEX IF NOT EXISTS {index:event_id} ON {table} ({event_id})",
     {ROLE_EVENT_ID, ROLE_NONE, ROLE_NONE},
     "every claim and settle reads the whole table",
     true},
};

/* A table whose rows all wait, and in no other order than that of their numbers, needs no index to
 * be claimed from its beginning. */
static bool is_walked(const struct shape *shape)
{
    return !shape->has[ROLE_STATUS] && !shape->has[ROLE_AVAILABLE_AT] && shape->order == ROLE_NONE;
}

bool ddl_needs(const struct outbox_store *store, const struct shape *shape,
               const struct ddl_index *index)
{
    bool on_id = index->columns[1] == ROLE_EVENT_ID;
    switch (index->user) {
    case STATEMENT_CLAIM:
        return on_id == store->layout->by_id && !is_walked(shape);
    case STATEMENT_EXPIRED:
        return shape_leases(shape);
    case STATEMENT_COUNT_DEAD: /* the other index has all states in it */
        return shape_buries(shape) && !store->layout->by_id;
    default:
        return true;
    }
}

enum statement ddl_user(const struct outbox_store *store, const struct ddl_index *index)
{
    if (index->user == STATEMENT_CLAIM && !store->lease)
        return STATEMENT_FIND;
    if (index->user == STATEMENT_DELIVERED && store->delete_delivered)
        return STATEMENT_DELETED;
    return index->user;
}

/* ---- The table ---------------------------------------------------------------------------- */

/* Of as many states as the table has. It is no IN (...): for that SQLite would fill a temporary
 * table for every row that changes, a quarter of the work. */
static void add_status(struct buffer *pattern, const struct shape *shape)
{
    const char *between = "";
    bool text = shape->state[STATE_PENDING][0] == '\'';
    buffer_text(pattern, "%s NOT NULL DEFAULT {PENDING}\n        CHECK (",
                text ? "TEXT" : "INTEGER");
    for (enum state state = STATE_PENDING; state < STATE_COUNT; state++) {
        if (!shape->state[state][0])
            continue;
        buffer_text(pattern, "%s{status}={%s}", between, state_name(state));
        between = " OR ";
    }
    buffer_text(pattern, ")");
}

/* With a sequence the row number is the key, and stays what it is. */
static void add_column(struct buffer *pattern, const struct outbox_store *store,
                       const struct shape *shape, enum role role)
{
    if (role == ROLE_STATUS)
        add_status(pattern, shape);
    else if (role == ROLE_EVENT_ID)
        buffer_text(pattern, "TEXT NOT NULL %s", shape->has[ROLE_SEQ] ? "UNIQUE" : "PRIMARY KEY");
    else if (role == ROLE_PAYLOAD && store->binary_payload)
        buffer_text(pattern, "BLOB NOT NULL");
    else
        buffer_text(pattern, "%s", store->layout->definition[role]);
}

char *ddl_table(const struct outbox_store *store, const struct shape *shape)
{
    struct buffer pattern = {0};
    const char *between = "";
    buffer_text(&pattern, "CREATE TABLE {table} (\n");
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (!shape->has[role])
            continue;
        buffer_text(&pattern, "%s    {%s} ", between, role_name(role));
        add_column(&pattern, store, shape, role);
        between = ",\n";
    }
    buffer_text(&pattern, "\n)");
    return buffer_take(&pattern);
}
