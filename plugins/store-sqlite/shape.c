/*
 * shape.c - what the table in the database is like, and what can be done with it
 * SPDX-License-Identifier: MIT
 */
#include "shape.h"

#include "failure.h"
#include "plan.h"

#include <stdarg.h>
#include <stdlib.h>

static const char doing[] = "read the table's columns";

/* What SQLite makes of a declared type; a type unknown to it is a number if the value looks like
 * one. */
enum affinity { AS_TEXT, AS_BYTES, AS_INTEGER, AS_REAL, AS_NUMBER };

struct found_column {
    const char *name, *type;
    enum affinity affinity;
    bool primary, generated;
};

/* ---- Problems ----------------------------------------------------------------------------- */

static void problem(struct shape *shape, const char *format, ...) OUTBOX_PRINTF(2, 3);

static void problem(struct shape *shape, const char *format, ...)
{
    size_t len = strlen(shape->problems), room = sizeof(shape->problems) - len;
    if (room < 2)
        return; /* there are enough of them already */
    if (len > 0) {
        shape->problems[len++] = '\n';
        room--;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(shape->problems + len, room, format, arguments);
    va_end(arguments);
}

bool shape_requires(const struct outbox_store *store, enum role role)
{
    if (!columns_have(&store->columns, role))
        return false;
    if (store->layout->is_open)
        return true; /* it was named, or is one of the three */
    uint32_t required = store->layout->required | (store->lease ? store->layout->leased : 0);
    return required & ROLE_BIT(role);
}

/* ---- Columns ------------------------------------------------------------------------------ */

/* By the rules of "Datatypes In SQLite", 3.1, in their order. */
static enum affinity affinity_of(const char *type)
{
    if (strcasestr(type, "INT"))
        return AS_INTEGER;
    if (strcasestr(type, "CHAR") || strcasestr(type, "CLOB") || strcasestr(type, "TEXT"))
        return AS_TEXT;
    if (!type[0] || strcasestr(type, "BLOB"))
        return AS_BYTES;
    if (strcasestr(type, "REAL") || strcasestr(type, "FLOA") || strcasestr(type, "DOUB"))
        return AS_REAL;
    return AS_NUMBER;
}

/* JSON is the one type of no affinity of its own that is used for text. */
static const char *wanted_instead(enum role role, const struct found_column *found)
{
    bool number = found->affinity == AS_INTEGER || found->affinity == AS_REAL;
    bool other = found->affinity == AS_NUMBER && !strcasestr(found->type, "JSON");
    switch (role) {
    case ROLE_PAYLOAD:
        return number || other ? "BLOB, TEXT or JSON" : NULL;
    case ROLE_HEADERS:
        return number || other ? "TEXT or JSON" : NULL;
    case ROLE_ATTEMPTS:
    case ROLE_CREATED_TS:
        return found->type[0] && found->affinity != AS_INTEGER && found->affinity != AS_NUMBER
                   ? "INTEGER"
                   : NULL;
    case ROLE_AVAILABLE_AT:
    case ROLE_LOCKED_AT:
    case ROLE_DELIVERED_AT:
    case ROLE_CREATED_AT:
    case ROLE_UPDATED_AT: /* a number sorts before every text */
        return number ? "TEXT as 2006-01-02 15:04:05.000" : NULL;
    case ROLE_EVENT_ID:
        return found->affinity == AS_REAL ? "TEXT, BLOB or INTEGER" : NULL;
    default:
        return NULL;
    }
}

static void read_states(struct shape *shape, const struct states *states, const char *name,
                        const struct found_column *found)
{
    enum state misfit = STATE_PENDING;
    bool numbers = states_fit(states, STATE_AS_INTEGER, &misfit);
    bool must = found->affinity == AS_INTEGER || found->affinity == AS_REAL;
    if (must && !numbers) {
        problem(shape, "column %s is %s, which cannot hold \"%s\" for %s: see `states`", name,
                found->type, states->text[misfit], state_name(misfit));
        return;
    }
    enum state_kind kind = numbers && found->affinity != AS_TEXT ? STATE_AS_INTEGER : STATE_AS_TEXT;
    for (enum state state = STATE_PENDING; state < STATE_COUNT; state++) {
        const char *quote = kind == STATE_AS_TEXT ? "'" : "";
        if (states_have(states, state))
            (void)snprintf(shape->state[state], sizeof(shape->state[state]), "%s%s%s", quote,
                           states->text[state], quote);
    }
}

/* VARCHAR(1024) says so much; SQLite itself does not mind. */
static uint32_t declared_length(const char *type)
{
    const char *open = strcasestr(type, "CHAR") ? strchr(type, '(') : NULL;
    long length = open ? strtol(open + 1, NULL, 10) : 0;
    return length > 0 && length < INT32_MAX ? (uint32_t)length : 0;
}

static void note_role(const struct outbox_store *store, struct shape *shape, enum role role,
                      const struct found_column *found)
{
    const char *wanted = wanted_instead(role, found);
    shape->has[role] = true;
    shape->generated[role] = found->generated;
    if (wanted)
        problem(shape, "column %s is %s, not %s", found->name, found->type, wanted);
    if (role == ROLE_STATUS)
        read_states(shape, &store->states, found->name, found);
    if (role == ROLE_EVENT_ID) {
        shape->id_is_blob = strcasestr(found->type, "BLOB") || strcasestr(found->type, "BINARY");
        shape->id_is_number = found->affinity == AS_INTEGER;
        shape->id_is_rowid = found->primary && strcasecmp(found->type, "INTEGER") == 0;
    }
    if (role == ROLE_SEQ)
        shape->seq_is_rowid = found->primary && strcasecmp(found->type, "INTEGER") == 0;
    if (role == ROLE_PAYLOAD)
        shape->payload_is_text = found->affinity == AS_TEXT || found->affinity == AS_NUMBER;
    if (role == ROLE_LAST_ERROR)
        shape->error_chars = declared_length(found->type);
}

static void note_column(const struct outbox_store *store, struct shape *shape,
                        const struct found_column *found)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (strcasecmp(store->columns.names[role], found->name) == 0)
            note_role(store, shape, (enum role)role, found);
    }
    /* Of exactly this type, and no other column beside it, it is the row number itself. */
    if (found->primary && strcasecmp(found->type, "INTEGER") == 0)
        shape->rowid_is_stable = true;
}

static void name_missing(const struct outbox_store *store, struct shape *shape)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (shape_requires(store, (enum role)role) && !shape->has[role])
            problem(shape, "no column %s", store->columns.names[role]);
    }
}

/* ---- What can be done with them ----------------------------------------------------------- */

static void draw_conclusions(const struct outbox_store *store, struct shape *shape)
{
    const bool *has = shape->has;
    shape->lease = store->lease;
    shape->holds_back = !store->lease && (!has[ROLE_AVAILABLE_AT] || !has[ROLE_ATTEMPTS]);
    shape->writes_failures = has[ROLE_AVAILABLE_AT] || has[ROLE_ATTEMPTS] || has[ROLE_LAST_ERROR];
    shape->order = ROLE_NONE;
    if (store->layout->by_id)
        shape->order = ROLE_EVENT_ID;
    else if (!has[ROLE_AVAILABLE_AT] && has[ROLE_SEQ] && !shape->seq_is_rowid)
        shape->order = ROLE_SEQ;
}

bool shape_leases(const struct shape *shape)
{
    static const enum role needed[] = {ROLE_STATUS, ROLE_ATTEMPTS, ROLE_AVAILABLE_AT,
                                       ROLE_LOCKED_BY, ROLE_LOCKED_AT};
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (!shape->has[needed[i]])
            return false;
    }
    return shape->state[STATE_DELIVERING][0] && shape->state[STATE_DEAD][0];
}

enum role shape_finished(const struct shape *shape, enum state state)
{
    static const enum role since[] = {ROLE_DELIVERED_AT, ROLE_UPDATED_AT, ROLE_CREATED_AT};
    if (!shape->state[state][0])
        return ROLE_NONE;
    for (size_t i = state == STATE_DELIVERED ? 0 : 1; i < sizeof(since) / sizeof(since[0]); i++) {
        if (shape->has[since[i]])
            return since[i];
    }
    return ROLE_NONE;
}

void shape_wanted(const struct outbox_store *store, struct shape *shape)
{
    enum state misfit;
    bool numbers = states_fit(&store->states, STATE_AS_INTEGER, &misfit);
    const struct found_column status = {.name = store->columns.names[ROLE_STATUS],
                                        .type = numbers ? "INTEGER" : "TEXT",
                                        .affinity = numbers ? AS_INTEGER : AS_TEXT};
    *shape = (struct shape){.exists = true, .is_table = true, .has_rowid = true};
    for (int role = 0; role < ROLE_COUNT; role++)
        shape->has[role] = columns_have(&store->columns, (enum role)role);
    if (shape->has[ROLE_STATUS])
        read_states(shape, &store->states, status.name, &status);
    shape->rowid_is_stable = shape->seq_is_rowid = shape->has[ROLE_SEQ];
    draw_conclusions(store, shape);
}

/* ---- Reading ------------------------------------------------------------------------------ */

static enum outbox_status prepare_about_table(struct outbox_session *session, const char *sql,
                                              sqlite3_stmt **statement, struct outbox_error *error)
{
    if (sqlite3_prepare_v2(session->db, sql, -1, statement, NULL) != SQLITE_OK ||
        sqlite3_bind_text(*statement, 1, session->store->columns.table, -1, SQLITE_STATIC) !=
            SQLITE_OK)
        return failure(session, doing, error);
    return OUTBOX_OK;
}

static enum outbox_status read_kind(struct outbox_session *session, struct shape *shape,
                                    struct outbox_error *error)
{
    sqlite3_stmt *row = NULL;
    enum outbox_status status = prepare_about_table(
        session, "SELECT type,wr FROM pragma_table_list(?1) WHERE schema='main'", &row, error);
    if (status == OUTBOX_OK) {
        int code = sqlite3_step(row);
        if (code == SQLITE_ROW) {
            const char *type = (const char *)sqlite3_column_text(row, 0);
            shape->exists = true;
            shape->is_table = type && strcmp(type, "table") == 0;
            shape->has_rowid = sqlite3_column_int(row, 1) == 0;
        } else if (code != SQLITE_DONE) {
            status = failure(session, doing, error);
        }
    }
    (void)sqlite3_finalize(row); /* repeats a failure already taken */
    return status;
}

static void take_column(struct outbox_session *session, struct shape *shape, sqlite3_stmt *row)
{
    const char *name = (const char *)sqlite3_column_text(row, 0);
    const char *type = (const char *)sqlite3_column_text(row, 1);
    struct found_column found = {.name = name ? name : "",
                                 .type = type ? type : "",
                                 .primary = sqlite3_column_int(row, 2) != 0,
                                 .generated = sqlite3_column_int(row, 3) != 0};
    found.affinity = affinity_of(found.type);
    if (name)
        note_column(session->store, shape, &found);
}

static enum outbox_status read_columns(struct outbox_session *session, struct shape *shape,
                                       struct outbox_error *error)
{
    sqlite3_stmt *row = NULL;
    enum outbox_status status = prepare_about_table(
        session, "SELECT name,type,pk AND max(pk) OVER ()=1,hidden FROM pragma_table_xinfo(?1)",
        &row, error);
    if (status == OUTBOX_OK) {
        int code;
        while ((code = sqlite3_step(row)) == SQLITE_ROW)
            take_column(session, shape, row);
        if (code != SQLITE_DONE)
            status = failure(session, doing, error);
    }
    (void)sqlite3_finalize(row); /* repeats a failure already taken */
    return status;
}

/* Where neither a schedule nor a sequence gives the order of claims, an index may: one on the
 * status alone has the row numbers in their order, one on status and id the ids. */
static enum outbox_status choose_order(struct outbox_session *session, struct outbox_error *error)
{
    struct shape *shape = &session->shape;
    bool indexed = false;
    if (shape->order != ROLE_NONE || shape->has[ROLE_AVAILABLE_AT] || !shape->has[ROLE_STATUS])
        return OUTBOX_OK;
    enum outbox_status status = plan_is_indexed(session, STATEMENT_FIND, &indexed, error);
    if (status != OUTBOX_OK || indexed)
        return status;
    shape->order = ROLE_EVENT_ID;
    status = plan_is_indexed(session, STATEMENT_FIND, &indexed, error);
    if (status == OUTBOX_OK && !indexed)
        shape->order = ROLE_NONE;
    return status;
}

enum outbox_status session_read_shape(struct outbox_session *session, struct outbox_error *error)
{
    struct shape shape = {0};
    enum outbox_status status = read_kind(session, &shape, error);
    if (status == OUTBOX_OK && shape.exists)
        status = read_columns(session, &shape, error);
    if (status != OUTBOX_OK)
        return status;
    if (shape.exists)
        name_missing(session->store, &shape);
    draw_conclusions(session->store, &shape);
    session->shape = shape;
    bool usable = shape.exists && shape.is_table && shape.has_rowid && !shape.problems[0];
    return usable ? choose_order(session, error) : OUTBOX_OK;
}

static enum outbox_status refuse_columns(const struct outbox_session *session,
                                         struct outbox_error *error)
{
    char problems[301];
    (void)snprintf(problems, sizeof(problems), "%.300s", session->shape.problems);
    for (char *end = strchr(problems, '\n'); end; end = strchr(end, '\n'))
        *end = ',';
    return outbox_fail(error, OUTBOX_SCHEMA, "",
                       "table %.100s: %s; change the table, or name other columns with `columns`",
                       session->store->columns.table, problems);
}

static enum outbox_status require_shape(const struct outbox_session *session,
                                        struct outbox_error *error)
{
    const struct shape *shape = &session->shape;
    const char *table = session->store->columns.table;
    if (!shape->exists)
        return outbox_fail(error, OUTBOX_SCHEMA, "",
                           "there is no table %s in %.200s: make it with `outbox-relay init`",
                           table, session->store->path);
    if (!shape->is_table || !shape->has_rowid)
        return outbox_fail(error, OUTBOX_SCHEMA, "",
                           "%s in %.200s is %s: events are relayed from an ordinary table only",
                           table, session->store->path,
                           shape->is_table ? "a WITHOUT ROWID table" : "a view or a virtual table");
    return shape->problems[0] ? refuse_columns(session, error) : OUTBOX_OK;
}

enum outbox_status session_require_shape(struct outbox_session *session, struct outbox_error *error)
{
    if (session->shape_known)
        return OUTBOX_OK;
    enum outbox_status status = session_read_shape(session, error);
    if (status == OUTBOX_OK)
        status = require_shape(session, error);
    session->shape_known = status == OUTBOX_OK;
    return status;
}
