/*
 * table.c - which columns, indexes and rights a session finds
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdlib.h>

/* What a column's type may be; none: any type, which travels as its text. */
struct expected {
    Oid types[5];
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
    [ROLE_CREATED_TS] = {{TYPE_INT8}, "bigint"},
};

/* Where another layout than openoutbox allows more. Instants without a zone are taken as UTC. */
static const struct expected looser[ROLE_COUNT] = {
    [ROLE_PAYLOAD] = {{TYPE_BYTEA, TYPE_JSON, TYPE_JSONB, TYPE_TEXT, TYPE_VARCHAR},
                      "bytea, json, jsonb or text"},
    [ROLE_STATUS] = {{0}, "text or integer"},
    [ROLE_LAST_ERROR] = {{TYPE_TEXT, TYPE_VARCHAR}, "text"},
    [ROLE_DELIVERED_AT] = {{TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP}, "timestamp with time zone"},
    [ROLE_CREATED_AT] = {{TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP}, "timestamp with time zone"},
    [ROLE_UPDATED_AT] = {{TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP}, "timestamp with time zone"},
    [ROLE_SEQ] = {{TYPE_INT8, TYPE_INT4, TYPE_INT2}, "bigint"},
};

static const struct expected *expected_of(const struct outbox_store *store, enum role role)
{
    bool may_be_more = store->layout->states != &states_openoutbox || store->layout->is_open;
    return may_be_more && looser[role].words ? &looser[role] : &expected[role];
}

static const char columns_sql[] =
    "SELECT c.oid, c.relkind, a.attname, a.atttypid, pg_catalog.format_type(a.atttypid, NULL),"
    " c.relkind = 'r' AND NOT c.relhassubclass,"
    " pg_catalog.has_table_privilege(c.oid, 'SELECT')," /* a right to columns leaves ctid out */
    " pg_catalog.has_any_column_privilege(c.oid, 'INSERT'),"
    " pg_catalog.has_column_privilege(c.oid, a.attnum, 'UPDATE'),"
    " pg_catalog.has_table_privilege(c.oid, 'DELETE'),"
    " EXISTS (SELECT FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid"
    "  WHERE g.tgrelid = c.oid AND p.proname = 'outbox_relay_wake' AND g.tgenabled <> 'D'),"
    " pg_catalog.quote_ident(current_user), a.atttypmod, a.attgenerated <> '' OR a.atthasdef,"
    " EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid)"
    " FROM pg_catalog.pg_class c"
    " LEFT JOIN pg_catalog.pg_attribute a"
    "  ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE c.oid = pg_catalog.to_regclass($1)";

static bool is_true(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static Oid get_oid(const PGresult *result, int row, int column)
{
    return (Oid)strtoul(PQgetvalue(result, row, column), NULL, 10);
}

static bool type_fits(const struct expected *allowed, Oid type)
{
    const Oid *types = allowed->types;
    if (types[0] == 0)
        return true;
    for (size_t i = 0; i < sizeof(allowed->types) / sizeof(types[0]) && types[i]; i++)
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

/* How a state is written in a column of that type. */
static void read_status(struct table *table, const struct outbox_store *store, const char *name,
                        const char *type_name)
{
    Oid type = table->type[ROLE_STATUS];
    bool integer = type == TYPE_INT2 || type == TYPE_INT4 || type == TYPE_INT8;
    bool text = type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BPCHAR;
    table->state_kind = integer ? STATE_AS_INTEGER : STATE_AS_TEXT;
    if (!integer && !text)
        (void)snprintf(table->state_cast, sizeof(table->state_cast), "::%s", type_name);
    char found[200];
    enum state misfit;
    if (!states_fit(&store->states, table->state_kind, &misfit)) {
        (void)snprintf(found, sizeof(found), " is %s, which cannot hold \"%s\" for %s", type_name,
                       store->states.text[misfit], state_name(misfit));
        problem(table, "column ", name, found, ": see `states`");
    }
    if (store->settings.mode == OUTBOX_MODE_LEASE && type != TYPE_TEXT && type != TYPE_VARCHAR) {
        (void)snprintf(found, sizeof(found), " is %s, not text, which claim mode lease needs",
                       type_name);
        problem(table, "column ", name, found, "");
    }
}

static void read_role(struct table *table, const struct outbox_store *store, enum role role,
                      const PGresult *columns, int row)
{
    const char *name = PQgetvalue(columns, row, 2), *type_name = PQgetvalue(columns, row, 4);
    long modifier = strtol(PQgetvalue(columns, row, 12), NULL, 10);
    Oid type = get_oid(columns, row, 3);
    table->has[role] = true;
    table->type[role] = type;
    table->may_update &= !is_settled(role) || is_true(columns, row, 8);
    if (role == ROLE_EVENT_ID)
        (void)snprintf(table->id_type, sizeof(table->id_type), "%s",
                       type == TYPE_BPCHAR ? "bpchar" : type_name);
    if (role == ROLE_STATUS)
        read_status(table, store, name, type_name);
    if (role == ROLE_LAST_ERROR && type == TYPE_VARCHAR && modifier > 4)
        table->error_characters = (size_t)modifier - 4;
    if (role == ROLE_CREATED_TS)
        table->makes_created_ts = is_true(columns, row, 13);
    const struct expected *allowed = expected_of(store, role);
    if (!type_fits(allowed, type)) {
        char found[160];
        (void)snprintf(found, sizeof(found), " is %s, not ", type_name);
        problem(table, "column ", name, found, allowed->words);
    }
}

static void read_column(struct table *table, const struct outbox_store *store,
                        const PGresult *columns, int row)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        const char *name = store->names.column[role];
        if (name && strcmp(PQgetvalue(columns, row, 2), name) == 0)
            read_role(table, store, (enum role)role, columns, row);
    }
}

/* What can be done with the columns that there are. */
static void draw_conclusions(struct table *table, const struct outbox_store *store)
{
    table->holds_back = !table->has[ROLE_AVAILABLE_AT] && store->settings.mode == OUTBOX_MODE_HOLD;
    table->writes_failures = table->has[ROLE_ATTEMPTS] || table->has[ROLE_LAST_ERROR] ||
                             table->has[ROLE_AVAILABLE_AT] ||
                             (table->has[ROLE_STATUS] && states_have(&store->states, STATE_DEAD));
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
    table->is_partitioned = kind == 'p';
    table->has_partitions = table->is_partitioned && is_true(columns, 0, 14);
    table->by_tid = is_true(columns, 0, 5);
    table->may_select = is_true(columns, 0, 6);
    table->may_insert = is_true(columns, 0, 7);
    table->may_update = true; /* of all that settling writes; to lock a row takes one column */
    table->may_delete = is_true(columns, 0, 9);
    table->trigger = is_true(columns, 0, 10);
    (void)snprintf(table->user, sizeof(table->user), "%s", PQgetvalue(columns, 0, 11));
    bool may_lock = false;
    for (int row = 0; row < PQntuples(columns); row++) {
        read_column(table, store, columns, row);
        may_lock |= is_true(columns, row, 8);
    }
    table->may_update &= may_lock;
    for (int role = 0; role < ROLE_COUNT; role++)
        if (!table->has[role] && shape_requires(store, (enum role)role))
            problem(table, "no column ", store->names.column[role], " of type ",
                    expected_of(store, (enum role)role)->words);
    draw_conclusions(table, store);
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
        [FIELD_TIE] = ROLE_EVENT_ID, /* there is always one */
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
        exchange_query(session, table_indexes_sql, (const char *[]){store->names.table}, 1);
    enum outbox_status status = exchange_run(session, "look at the table", error);
    if (status != OUTBOX_OK)
        return status;
    const PGresult *columns = exchange_result(session, columns_at);
    const PGresult *indexes = exchange_result(session, indexes_at);
    table_clear(table);
    if (PQntuples(columns) == 0) {
        problem(table, "it does not exist", "", "", "");
    } else {
        read_columns(table, store, columns);
        if (!table->not_a_table)
            table_read_indexes(table, store, indexes);
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
