/*
 * table.c - which columns, indexes and rights a session finds
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdlib.h>

/* What a column's type may be. The first is the one that `init` makes. */
struct expected {
    Oid types[4];
    const char *words;
};

static const struct expected expected[ROLE_COUNT] = {
    [ROLE_EVENT_ID] = {{0}, "uuid"},
    [ROLE_EVENT_TYPE] = {{0}, "text"},
    [ROLE_PARTITION_KEY] = {{0}, "text"},
    [ROLE_PAYLOAD] = {{TYPE_BYTEA}, "bytea"},
    [ROLE_HEADERS] = {{TYPE_JSONB, TYPE_JSON, TYPE_TEXT, TYPE_VARCHAR}, "jsonb, json or text"},
    [ROLE_STATUS] = {{TYPE_TEXT, TYPE_VARCHAR}, "text"},
    [ROLE_ATTEMPTS] = {{TYPE_INT4, TYPE_INT8, TYPE_INT2}, "integer"},
    [ROLE_LAST_ERROR] = {{TYPE_TEXT}, "text"},
    [ROLE_AVAILABLE_AT] = {{TYPE_TIMESTAMPTZ}, "timestamp with time zone"},
    [ROLE_LOCKED_BY] = {{TYPE_TEXT, TYPE_VARCHAR}, "text"},
    [ROLE_LOCKED_AT] = {{TYPE_TIMESTAMPTZ}, "timestamp with time zone"},
    [ROLE_DELIVERED_AT] = {{TYPE_TIMESTAMPTZ}, "timestamp with time zone"},
    [ROLE_CREATED_AT] = {{TYPE_TIMESTAMPTZ}, "timestamp with time zone"},
    [ROLE_UPDATED_AT] = {{TYPE_TIMESTAMPTZ}, "timestamp with time zone"},
    [ROLE_ORDERING_KEY] = {{0}, "text"},
    [ROLE_AGGREGATE_TYPE] = {{0}, "text"},
    [ROLE_AGGREGATE_ID] = {{0}, "text"},
    [ROLE_SEQ] = {{TYPE_INT8}, "bigint"},
};

static const char columns_sql[] =
    "SELECT c.oid, c.relkind, a.attname, a.atttypid, pg_catalog.format_type(a.atttypid, NULL),"
    " c.relkind = 'r' AND NOT c.relhassubclass,"
    " pg_catalog.has_table_privilege(c.oid, 'SELECT')," /* a right to columns leaves ctid out */
    " pg_catalog.has_any_column_privilege(c.oid, 'INSERT'),"
    " pg_catalog.has_column_privilege(c.oid, a.attnum, 'UPDATE'),"
    " pg_catalog.has_table_privilege(c.oid, 'DELETE'),"
    " EXISTS (SELECT FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid"
    "  WHERE g.tgrelid = c.oid AND p.proname = 'outbox_relay_wake' AND g.tgenabled <> 'D'),"
    " pg_catalog.quote_ident(current_user)"
    " FROM pg_catalog.pg_class c"
    " LEFT JOIN pg_catalog.pg_attribute a"
    "  ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE c.oid = pg_catalog.to_regclass($1)";

/* Of each usable index: its oid, its first three columns, its condition, whether it keeps its first
 * column unique; in a partitioned table it can do so only together with the partition key. */
static const char indexes_sql[] =
    "SELECT i.indexrelid, k1.attname, k2.attname, k3.attname,"
    " coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), ''),"
    " i.indisunique AND (i.indnkeyatts = 1 OR c.relkind = 'p')"
    " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid"
    " JOIN pg_catalog.pg_attribute k1 ON k1.attrelid = i.indrelid AND k1.attnum = i.indkey[0]"
    " LEFT JOIN pg_catalog.pg_attribute k2 ON k2.attrelid = i.indrelid AND k2.attnum = i.indkey[1]"
    " LEFT JOIN pg_catalog.pg_attribute k3 ON k3.attrelid = i.indrelid AND k3.attnum = i.indkey[2]"
    " WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indisvalid";

bool table_requires(enum role role, uint32_t mode)
{
    switch (role) {
    case ROLE_PARTITION_KEY:
    case ROLE_HEADERS:
    case ROLE_UPDATED_AT:
    case ROLE_ORDERING_KEY:
    case ROLE_AGGREGATE_TYPE:
    case ROLE_AGGREGATE_ID:
    case ROLE_SEQ:
        return false;
    case ROLE_LOCKED_BY:
    case ROLE_LOCKED_AT:
        return mode == OUTBOX_MODE_LEASE;
    default:
        return true;
    }
}

static bool is_true(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static Oid get_oid(const PGresult *result, int row, int column)
{
    return (Oid)strtoul(PQgetvalue(result, row, column), NULL, 10);
}

static bool type_fits(enum role role, Oid type)
{
    const Oid *types = expected[role].types;
    if (types[0] == 0)
        return true; /* any type: it travels as its text */
    for (size_t i = 0; i < 4 && types[i]; i++)
        if (types[i] == type)
            return true;
    return false;
}

static void problem(struct table *table, const char *a, const char *b, const char *c, const char *d)
{
    struct buffer *problems = &table->problems;
    if (problems->len > 0)
        buffer_text(problems, "\n");
    buffer_text(problems, "%s%s%s%s", a, b, c, d);
}

/* Whether settling or claiming writes to it. */
static bool is_settled(enum role role)
{
    switch (role) {
    case ROLE_STATUS:
    case ROLE_ATTEMPTS:
    case ROLE_LAST_ERROR:
    case ROLE_AVAILABLE_AT:
    case ROLE_LOCKED_BY:
    case ROLE_LOCKED_AT:
    case ROLE_DELIVERED_AT:
    case ROLE_UPDATED_AT:
        return true;
    default:
        return false;
    }
}

static const char *kind_words(char kind)
{
    switch (kind) {
    case 'v':
        return "a view";
    case 'm':
        return "a materialized view";
    case 'f':
        return "a foreign table";
    case 'S':
        return "a sequence";
    case 'i':
    case 'I':
        return "an index";
    case 'c':
        return "a composite type";
    default:
        return "something else";
    }
}

static void read_column(struct table *table, const struct names *names, const PGresult *columns,
                        int row)
{
    const char *name = PQgetvalue(columns, row, 2);
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (strcmp(name, names->column[role]) != 0)
            continue;
        Oid type = get_oid(columns, row, 3);
        const char *type_name = PQgetvalue(columns, row, 4);
        table->has[role] = true;
        table->type[role] = type;
        table->may_update &= !is_settled((enum role)role) || is_true(columns, row, 8);
        if (role == ROLE_EVENT_ID)
            (void)snprintf(table->id_type, sizeof(table->id_type), "%s",
                           type == TYPE_BPCHAR ? "bpchar" : type_name);
        if (!type_fits((enum role)role, type)) {
            char found[160];
            (void)snprintf(found, sizeof(found), " is %s, not ", type_name);
            problem(table, "column ", name, found, expected[role].words);
        }
    }
}

static void read_columns(struct table *table, const struct outbox_store *store,
                         const PGresult *columns)
{
    char kind = PQgetvalue(columns, 0, 1)[0];
    table->exists = true;
    table->oid = get_oid(columns, 0, 0);
    if (kind != 'r' && kind != 'p') {
        table->not_a_table = true;
        problem(table, "it is no table but ", kind_words(kind), "", "");
        return;
    }
    table->by_tid = is_true(columns, 0, 5);
    table->may_select = is_true(columns, 0, 6);
    table->may_insert = is_true(columns, 0, 7);
    table->may_update = true;
    table->may_delete = is_true(columns, 0, 9);
    table->trigger = is_true(columns, 0, 10);
    (void)snprintf(table->user, sizeof(table->user), "%s", PQgetvalue(columns, 0, 11));
    for (int row = 0; row < PQntuples(columns); row++)
        read_column(table, &store->names, columns, row);
    for (int role = 0; role < ROLE_COUNT; role++)
        if (!table->has[role] && table_requires((enum role)role, store->settings.mode))
            problem(table, "no column ", store->names.column[role], " of type ",
                    expected[role].words);
}

static void read_index(struct table *table, const struct names *names, const PGresult *indexes,
                       int row)
{
    const char *keys[3];
    for (int i = 0; i < 3; i++)
        keys[i] = PQgetvalue(indexes, row, 1 + i);
    const char *condition = PQgetvalue(indexes, row, 4);
    bool partial = condition[0] != '\0';
    if (!partial && strcmp(keys[0], names->column[ROLE_EVENT_ID]) == 0)
        table->id_index = true;
    if (!partial && is_true(indexes, row, 5) && strcmp(keys[0], names->column[ROLE_EVENT_ID]) == 0)
        table->id_unique = true;
    bool on_status = strcmp(keys[0], names->column[ROLE_STATUS]) == 0;
    if ((on_status && !partial) || (partial && strstr(condition, "= 'DEAD'")))
        table->dead_index = true;
    const char *const *ordered = keys;
    if (on_status && !partial)
        ordered = keys + 1; /* the status as an equal first key does as well as a condition */
    else if (!partial)
        return;
    bool pending = ordered != keys || strstr(condition, "= 'PENDING'");
    bool delivering = ordered != keys || strstr(condition, "= 'DELIVERING'");
    if (delivering && strcmp(ordered[0], names->column[ROLE_LOCKED_AT]) == 0)
        table->lease_index = true;
    if (!pending || strcmp(ordered[0], names->column[ROLE_AVAILABLE_AT]) != 0)
        return;
    /* An insertion sequence is the better order, wherever an index gives it. */
    bool by_seq = table->has[ROLE_SEQ] && strcmp(ordered[1], names->column[ROLE_SEQ]) == 0;
    bool by_time = strcmp(ordered[1], names->column[ROLE_CREATED_AT]) == 0;
    if (by_seq || (by_time && !table->claim_index)) {
        table->claim_index = get_oid(indexes, row, 0);
        table->tie = by_seq ? ROLE_SEQ : ROLE_CREATED_AT;
    }
}

/* Where each field stands in a claim's result, in the order in which sql.c lists them. */
static void number_fields(struct table *table)
{
    static const int role_of[FIELD_COUNT] = {
        [FIELD_ID] = ROLE_EVENT_ID,
        [FIELD_TYPE] = ROLE_EVENT_TYPE,
        [FIELD_PAYLOAD] = ROLE_PAYLOAD,
        [FIELD_PAYLOAD_SIZE] = ROLE_PAYLOAD,
        [FIELD_ATTEMPTS] = ROLE_ATTEMPTS,
        [FIELD_AVAILABLE_AT] = ROLE_AVAILABLE_AT,
        [FIELD_CREATED_AT] = ROLE_CREATED_AT,
        [FIELD_TIE] = ROLE_CREATED_AT,
        [FIELD_TID] = ROLE_EVENT_ID,
        [FIELD_HEADERS] = ROLE_HEADERS,
        [FIELD_PARTITION_KEY] = ROLE_PARTITION_KEY,
        [FIELD_ORDERING_KEY] = ROLE_ORDERING_KEY,
        [FIELD_AGGREGATE_TYPE] = ROLE_AGGREGATE_TYPE,
        [FIELD_AGGREGATE_ID] = ROLE_AGGREGATE_ID,
    };
    int next = 0;
    for (int field = 0; field < FIELD_COUNT; field++)
        table->field[field] = table->has[role_of[field]] ? next++ : -1;
}

enum outbox_status table_examine(struct outbox_session *session, struct table *table,
                                 struct outbox_error *error)
{
    const struct outbox_store *store = session->store;
    exchange_start(session);
    size_t columns_at =
        exchange_query(session, columns_sql, (const char *[]){store->names.table}, 1);
    size_t indexes_at =
        exchange_query(session, indexes_sql, (const char *[]){store->names.table}, 1);
    enum outbox_status status = exchange_run(session, "look at the table", error);
    if (status != OUTBOX_OK)
        return status;
    const PGresult *columns = exchange_result(session, columns_at);
    const PGresult *indexes = exchange_result(session, indexes_at);
    table_clear(table);
    table->tie = ROLE_CREATED_AT;
    if (PQntuples(columns) == 0) {
        problem(table, "it does not exist", "", "", "");
    } else {
        read_columns(table, store, columns);
        for (int row = 0; row < PQntuples(indexes) && !table->not_a_table; row++)
            read_index(table, &store->names, indexes, row);
        if (!table->claim_index && table->has[ROLE_SEQ])
            table->tie = ROLE_SEQ;
        number_fields(table);
    }
    return table->problems.failed ? failure_of_memory(error) : OUTBOX_OK;
}

void table_clear(struct table *table)
{
    buffer_clear(&table->problems);
    *table = (struct table){0};
}

const char *table_remedy(const struct table *table)
{
    if (!table->exists)
        return "`outbox-relay init` makes it";
    return table->not_a_table ? "name a table with `table`"
                              : "name other columns with `columns`, or another `table`";
}

enum outbox_status table_may_relay(struct outbox_session *session, struct outbox_error *error)
{
    const struct table *table = &session->table;
    bool lacks_delete = session->store->settings.delete_delivered && !table->may_delete;
    if (table->may_select && table->may_update && !lacks_delete)
        return OUTBOX_OK;
    char rights[40];
    (void)snprintf(rights, sizeof(rights), "%s%s%s", table->may_select ? "" : ", SELECT",
                   table->may_update ? "" : ", UPDATE", lacks_delete ? ", DELETE" : "");
    session->forget = true; /* it may be granted any time */
    const char *name = session->store->names.table;
    return outbox_fail(error, OUTBOX_DENIED, "42501",
                       "claim events from %s: the relay could not settle them, it lacks %s; GRANT "
                       "%s ON %s TO %s",
                       name, rights + 2, rights + 2, name, table->user);
}

enum outbox_status table_failure(const struct outbox_store *store, const struct table *table,
                                 struct outbox_error *error)
{
    struct buffer list = {0};
    for (const char *at = table->problems.data; *at; at++)
        buffer_text(&list, *at == '\n' ? ", " : "%c", *at);
    char *problems = buffer_take(&list);
    if (!problems)
        return failure_of_memory(error);
    const char *native = !table->exists ? "42P01" : table->not_a_table ? "42809" : "42703";
    (void)outbox_fail(error, OUTBOX_SCHEMA, native, "table %s: %s; %s", store->names.table,
                      problems, table_remedy(table));
    free(problems);
    return OUTBOX_SCHEMA;
}

enum outbox_status table_ensure(struct outbox_session *session, struct outbox_error *error)
{
    if (session->examined && !session->forget)
        return OUTBOX_OK;
    enum outbox_status status;
    if (session->forget) {
        exchange_start(session);
        exchange_text(session, "DEALLOCATE ALL");
        status = exchange_run(session, "look again at the table", error);
        if (status != OUTBOX_OK)
            return status;
        session_forget_table(session);
    }
    status = table_examine(session, &session->table, error);
    if (status != OUTBOX_OK)
        return status;
    const struct table *table = &session->table;
    if (table->problems.len > 0)
        return table_failure(session->store, table, error);
    session->examined = true;
    return OUTBOX_OK;
}
