/*
 * table.c - which columns, indexes and rights a session finds
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdlib.h>

static const char what[] = "look at the table";

#define OF_TABLE " WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?"

static const char table_sql[] = "SELECT table_type, engine FROM information_schema.tables" OF_TABLE;

static const char columns_sql[] =
    "SELECT column_name, data_type, column_type, character_set_name, character_maximum_length,"
    " character_octet_length, is_nullable, privileges, extra, collation_name"
    " FROM information_schema.columns" OF_TABLE;

static const char indexes_sql[] =
    "SELECT index_name, seq_in_index, CASE WHEN sub_part IS NULL THEN column_name END, non_unique"
    " FROM information_schema.statistics" OF_TABLE " ORDER BY index_name, seq_in_index";

static const char partitions_sql[] =
    "SELECT partition_expression FROM information_schema.partitions" OF_TABLE
    " AND partition_name IS NOT NULL AND partition_ordinal_position = 1";

struct examination {
    const struct outbox_store *store;
    struct table *table;
    char index[200]; /* the one that is being read */
    enum role keys[INDEX_COLUMNS];
    int key_count, best; /* rank of the claim index */
    bool unique;
};

/* ---- The table ---------------------------------------------------------------------------- */

static void take_table(void *context, const char *const values[ANSWER_COLUMNS])
{
    struct examination *examination = context;
    struct table *table = examination->table;
    table->exists = true;
    table->not_a_table = !values[0] || strcasecmp(values[0], "BASE TABLE") != 0;
    if (table->not_a_table)
        table_problem(table, "it is no table but a %s", values[0] ? values[0] : "thing unknown");
    else if (!values[1] || strcasecmp(values[1], "InnoDB") != 0)
        table_problem(table,
                      "its engine is %s, which has no row locks: ALTER TABLE ... ENGINE = "
                      "InnoDB",
                      values[1] ? values[1] : "none");
}

/* ---- Columns ------------------------------------------------------------------------------ */

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

static uint64_t number(const char *text)
{
    return text ? strtoull(text, NULL, 10) : 0;
}

static const char *text_or_none(const char *text)
{
    return text ? text : "";
}

static bool grants(const char *rights, const char *right)
{
    return rights && strcasestr(rights, right);
}

static void take_column(void *context, const char *const values[ANSWER_COLUMNS])
{
    struct examination *examination = context;
    struct table *table = examination->table;
    const struct names *names = &examination->store->names;
    const struct found_column found = {.type = text_or_none(values[1]),
                                       .full_type = text_or_none(values[2]),
                                       .charset = text_or_none(values[3]),
                                       .max_chars = number(values[4]),
                                       .max_bytes = number(values[5]),
                                       .collation = text_or_none(values[9]),
                                       .nullable = grants(values[6], "yes"),
                                       .is_generated = grants(values[8], " generated")};
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (!names->column[role] || strcasecmp(values[0], names->column[role]) != 0)
            continue;
        column_read(&table->columns[role], &found);
        column_judge(table, examination->store, (enum role)role, &found);
        table->local_time |= strcasecmp(found.type, "datetime") == 0;
        table->may_select &= grants(values[7], "select");
        table->may_insert &= grants(values[7], "insert") || grants(values[8], "auto_increment");
        table->may_update &= !is_settled((enum role)role) || grants(values[7], "update");
    }
}

static void name_missing(struct table *table, const struct outbox_store *store)
{
    for (int role = 0; role < ROLE_COUNT; role++)
        if (shape_requires(store, (enum role)role) && !table->columns[role].exists)
            table_problem(table, "no column %s of type %s", store->names.column[role],
                          role_types((enum role)role));
}

/* What can be done with the columns that there are. */
static void draw_conclusions(struct table *table, const struct outbox_store *store)
{
    table->holds_back = !table_has(table, ROLE_AVAILABLE_AT) && !is_lease(store);
    table->writes_failures = table_has(table, ROLE_ATTEMPTS) || table_has(table, ROLE_LAST_ERROR) ||
                             table_has(table, ROLE_AVAILABLE_AT) || table->state[STATE_DEAD][0];
}

/* ---- Indexes ------------------------------------------------------------------------------ */

static bool orders_by(const struct examination *examination, int place, enum role role)
{
    return place < examination->key_count && examination->keys[place] == role;
}

static bool has_places(enum kind kind)
{
    return kind == KIND_INTEGER || kind == KIND_UNSIGNED || kind == KIND_INSTANT ||
           kind == KIND_UUID_BYTES;
}

bool table_has_places(const struct table *table)
{
    return table_has(table, ROLE_AVAILABLE_AT) ||
           (table->tie != ROLE_NONE && has_places(table->columns[table->tie].kind));
}

/* The primary key stands, unseen, behind the columns of every index. */
static enum role tie_of(const struct examination *examination, int place)
{
    const struct table *table = examination->table;
    static const enum role ties[] = {ROLE_SEQ, ROLE_CREATED_AT, ROLE_EVENT_ID};
    bool by_time = table_has(table, ROLE_AVAILABLE_AT);
    enum role next = place < examination->key_count ? examination->keys[place] : table->key;
    for (size_t i = 0; i < sizeof(ties) / sizeof(ties[0]); i++) {
        const struct column *column = &table->columns[ties[i]];
        bool fits = has_places(column->kind) || (!by_time && ties[i] == ROLE_EVENT_ID);
        if (next == ties[i] && fits && column->exists && !column->nullable)
            return next;
    }
    return ROLE_NONE;
}

/* How good an order is, 0 the best; UNORDERED is none. An insertion sequence is better than
 * anything else, and an id without available_at better than a clock, because what is held back is
 * known by it. */
enum { UNORDERED = 4 };

static int rank_of(const struct table *table, enum role tie)
{
    bool by_time = table_has(table, ROLE_AVAILABLE_AT);
    if (tie == ROLE_NONE)
        return UNORDERED;
    if (tie == ROLE_SEQ)
        return 0;
    if (!has_places(table->columns[tie].kind))
        return 3;
    return (tie == ROLE_CREATED_AT) == by_time ? 1 : 2;
}

static bool take_index(const struct examination *examination, char **quoted)
{
    free(*quoted);
    *quoted = quote_identifier(examination->index, strlen(examination->index));
    return *quoted != NULL;
}

static void judge_claim_index(struct examination *examination)
{
    struct table *table = examination->table;
    bool by_time = table_has(table, ROLE_AVAILABLE_AT), by_state = table_has(table, ROLE_STATUS);
    if ((by_state && !orders_by(examination, 0, ROLE_STATUS)) ||
        (by_time && !orders_by(examination, by_state, ROLE_AVAILABLE_AT)))
        return;
    enum role tie = tie_of(examination, by_state + by_time);
    int rank = rank_of(table, tie);
    if ((!by_time && tie == ROLE_NONE) || (table->claim_index && rank >= examination->best))
        return;
    table->problems.failed |= !take_index(examination, &table->claim_index);
    table->tie = tie;
    examination->best = rank;
}

/* created_ts is made of the id, or stands in the key of a partitioned table. */
static void judge_key_index(struct examination *examination)
{
    struct table *table = examination->table;
    bool whole = examination->key_count == 1 ||
                 (examination->key_count == 2 && examination->keys[1] == ROLE_CREATED_TS);
    bool unique = examination->unique && whole;
    if (table->key_index && (table->key_unique || !unique))
        return;
    table->problems.failed |= !take_index(examination, &table->key_index);
    table->key_unique = unique;
}

static void judge_index(struct examination *examination)
{
    struct table *table = examination->table;
    if (examination->key_count == 0)
        return;
    if (orders_by(examination, 0, table->key))
        judge_key_index(examination);
    judge_claim_index(examination);
}

static enum role role_of_column(const struct names *names, const char *column)
{
    for (int role = 0; role < ROLE_COUNT; role++)
        if (column && names->column[role] && strcasecmp(column, names->column[role]) == 0)
            return (enum role)role;
    return ROLE_NONE;
}

static void take_index_column(void *context, const char *const values[ANSWER_COLUMNS])
{
    struct examination *examination = context;
    const char *name = text_or_none(values[0]);
    if (number(values[1]) == 1) {
        judge_index(examination);
        (void)snprintf(examination->index, sizeof(examination->index), "%s", name);
        examination->key_count = 0;
        examination->unique = number(values[3]) == 0;
    }
    enum role role = role_of_column(&examination->store->names, values[2]);
    if (examination->key_count < INDEX_COLUMNS)
        examination->keys[examination->key_count++] = role;
}

/* The primary key, if it is one column that is known, is the quickest way back to a row. */
static void take_primary(void *context, const char *const values[ANSWER_COLUMNS])
{
    struct examination *examination = context;
    enum role role = role_of_column(&examination->store->names, values[2]);
    if (strcmp(text_or_none(values[0]), "PRIMARY") != 0)
        return;
    if (number(values[1]) == 1 && (role == ROLE_SEQ || role == ROLE_EVENT_ID))
        examination->table->key = role;
    else
        examination->table->key = ROLE_EVENT_ID; /* it has several columns */
}

static enum outbox_status read_indexes(struct outbox_session *session,
                                       struct examination *examination, struct outbox_error *error)
{
    enum outbox_status status = ask(session, indexes_sql, what, take_primary, examination, error);
    if (status == OUTBOX_OK)
        status = ask(session, indexes_sql, what, take_index_column, examination, error);
    if (status == OUTBOX_OK)
        judge_index(examination);
    struct table *table = examination->table;
    if (!table->claim_index && table_has(table, ROLE_SEQ))
        table->tie = ROLE_SEQ;
    else if (!table->claim_index && !table_has(table, ROLE_AVAILABLE_AT))
        table->tie = ROLE_EVENT_ID;
    return status;
}

/* ---- Partitions --------------------------------------------------------------------------- */

static void take_partitioning(void *context, const char *const values[ANSWER_COLUMNS])
{
    struct table *table = context;
    free(table->partitioned_by);
    table->partitioned_by = strdup(text_or_none(values[0]));
    table->problems.failed |= !table->partitioned_by;
}

/* The one of the two columns that the partitions are made by. */
static enum role window_of(const struct table *table, const struct names *names)
{
    static const enum role clocks[] = {ROLE_CREATED_TS, ROLE_CREATED_AT};
    for (int i = 0; i < 2; i++)
        if (table_has(table, clocks[i]) &&
            strcasestr(table->partitioned_by, names->column[clocks[i]]))
            return clocks[i];
    return ROLE_NONE;
}

static enum outbox_status read_partitions(struct outbox_session *session, struct table *table,
                                          struct outbox_error *error)
{
    const struct names *names = &session->store->names;
    if (session->store->settings.partition_window == 0)
        return OUTBOX_OK;
    enum outbox_status status = ask(session, partitions_sql, what, take_partitioning, table, error);
    if (status != OUTBOX_OK || table->problems.failed)
        return status;
    if (!table->partitioned_by) {
        table_problem(table, "it is not partitioned, but partition_window is set: leave that out");
        return OUTBOX_OK;
    }
    table->window = window_of(table, names);
    if (table->window == ROLE_NONE)
        table_problem(table,
                      "it is partitioned by %.80s, which partition_window cannot bound: name that "
                      "column in columns.created_at, or leave partition_window out",
                      table->partitioned_by);
    return OUTBOX_OK;
}

/* ---- Rights and existence ----------------------------------------------------------------- */

/* Whether a DELETE would be allowed: its plan is asked for, which needs the same right. As JSON it
 * is one column; as a table it has twelve in MySQL. */
static enum outbox_status read_delete_right(struct outbox_session *session, struct table *table,
                                            struct outbox_error *error)
{
    struct buffer sql = {0};
    struct outbox_error refusal = OUTBOX_ERROR_INIT;
    buffer_text(&sql, "EXPLAIN FORMAT = JSON DELETE FROM %s WHERE FALSE",
                session->store->names.table);
    char *text = buffer_take(&sql);
    if (!text)
        return failure_of_memory(error);
    bool forget = session->forget;
    parameters_start(session);
    enum outbox_status status = ask(session, text, what, NULL, NULL, &refusal);
    free(text);
    session->forget = forget;
    table->may_delete = status == OUTBOX_OK;
    if (status == OUTBOX_OK || status == OUTBOX_DENIED || session->lost == false)
        return OUTBOX_OK;
    return outbox_fail(error, status, refusal.native, "%s", refusal.text);
}

/* The catalogue shows nothing of a table to which the session has no right at all. */
static enum outbox_status find_reason(struct outbox_session *session, struct table *table,
                                      struct outbox_error *error)
{
    struct buffer sql = {0};
    buffer_text(&sql, "SELECT 1 FROM %s WHERE FALSE", session->store->names.table);
    char *text = buffer_take(&sql);
    if (!text)
        return failure_of_memory(error);
    parameters_start(session);
    enum outbox_status status = ask(session, text, what, NULL, NULL, error);
    free(text);
    if (status != OUTBOX_SCHEMA && status != OUTBOX_OK)
        return status;
    table_problem(table, "it does not exist");
    return OUTBOX_OK;
}

static void push_name(struct outbox_session *session)
{
    const struct names *names = &session->store->names;
    parameters_start(session);
    parameter_text(session, outbox_slice_of(names->schema));
    parameter_text(session, outbox_slice_of(names->relation));
}

enum outbox_status table_examine(struct outbox_session *session, struct table *table,
                                 struct outbox_error *error)
{
    struct examination examination = {.store = session->store, .table = table};
    table_clear(table);
    table->key = ROLE_EVENT_ID;
    table->tie = table->window = ROLE_NONE;
    table->may_select = table->may_insert = table->may_update = true;
    push_name(session);
    enum outbox_status status = ask(session, table_sql, what, take_table, &examination, error);
    if (status == OUTBOX_OK && !table->exists)
        return find_reason(session, table, error);
    if (status != OUTBOX_OK || table->not_a_table)
        return status;
    status = ask(session, columns_sql, what, take_column, &examination, error);
    if (status != OUTBOX_OK)
        return status;
    name_missing(table, session->store);
    draw_conclusions(table, session->store);
    status = read_indexes(session, &examination, error);
    if (status == OUTBOX_OK)
        status = read_partitions(session, table, error);
    if (status == OUTBOX_OK)
        status = read_delete_right(session, table, error);
    if (status != OUTBOX_OK)
        return status;
    return table->problems.failed ? failure_of_memory(error) : OUTBOX_OK;
}

void table_clear(struct table *table)
{
    buffer_clear(&table->problems);
    free(table->claim_index);
    free(table->key_index);
    free(table->partitioned_by);
    *table = (struct table){0};
}

/* ---- Saying what is wrong ----------------------------------------------------------------- */

const char *table_remedy(const struct table *table)
{
    if (!table->exists)
        return "`outbox-relay init` makes it";
    return table->not_a_table ? "name a table with `table`"
                              : "change the table, or name other columns with `columns`";
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
    const char *name = session->store->names.table, *user = session->store->settings.address.user;
    return outbox_fail(error, OUTBOX_DENIED, "1142",
                       "claim events from %s: the relay could not settle them, it lacks %s; GRANT "
                       "%s ON %s TO %s",
                       name, rights + 2, rights + 2, name, user ? user : "its user");
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
    (void)outbox_fail(error, OUTBOX_SCHEMA, table->exists ? "1054" : "1146", "table %s: %s; %s",
                      store->names.table, problems, table_remedy(table));
    free(problems);
    return OUTBOX_SCHEMA;
}

/* Dates without a zone are what the server's own zone made of the producers' NOW(). */
static enum outbox_status keep_time(struct outbox_session *session, struct outbox_error *error)
{
    bool local = session->table.local_time;
    if (local == session->local_time)
        return OUTBOX_OK;
    enum outbox_status status = command_run(
        session, local ? "SET time_zone = DEFAULT" : "SET time_zone = '+00:00'", what, error);
    if (status == OUTBOX_OK)
        session->local_time = local;
    return status;
}

enum outbox_status table_ensure(struct outbox_session *session, struct outbox_error *error)
{
    if (session->examined && !session->forget)
        return OUTBOX_OK;
    session_forget_table(session);
    enum outbox_status status = table_examine(session, &session->table, error);
    if (status == OUTBOX_OK && session->table.problems.len > 0)
        status = table_failure(session->store, &session->table, error);
    if (status == OUTBOX_OK)
        status = keep_time(session, error);
    if (status != OUTBOX_OK)
        return session->held ? status : give_up(session, status);
    session->examined = true;
    return OUTBOX_OK;
}
