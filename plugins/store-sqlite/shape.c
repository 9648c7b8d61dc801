/*
 * shape.c - which columns the table in the database has
 * SPDX-License-Identifier: MIT
 */
#include "failure.h"
#include "session.h"

#include <stdlib.h>

static const char doing[] = "read the table's columns";

static void note_column(const struct outbox_session *session, struct shape *shape, const char *name,
                        const char *type, bool primary)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (strcasecmp(session->store->columns.names[role], name) == 0)
            shape->has[role] = true;
    }
    if (strcasecmp(session->store->columns.names[ROLE_EVENT_ID], name) == 0)
        shape->id_is_blob = strcasestr(type, "BLOB") || strcasestr(type, "BINARY");
    /* Of exactly this type, and no other column beside it, it is the row number itself. */
    if (primary && strcasecmp(type, "INTEGER") == 0)
        shape->rowid_is_stable = true;
}

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

static enum outbox_status read_columns(struct outbox_session *session, struct shape *shape,
                                       struct outbox_error *error)
{
    sqlite3_stmt *row = NULL;
    enum outbox_status status = prepare_about_table(
        session, "SELECT name,type,pk AND max(pk) OVER ()=1 FROM pragma_table_xinfo(?1)", &row,
        error);
    if (status == OUTBOX_OK) {
        int code;
        while ((code = sqlite3_step(row)) == SQLITE_ROW) {
            const char *name = (const char *)sqlite3_column_text(row, 0);
            const char *type = (const char *)sqlite3_column_text(row, 1);
            if (name)
                note_column(session, shape, name, type ? type : "",
                            sqlite3_column_int(row, 2) != 0);
        }
        if (code != SQLITE_DONE)
            status = failure(session, doing, error);
    }
    (void)sqlite3_finalize(row); /* repeats a failure already taken */
    return status;
}

enum outbox_status session_read_shape(struct outbox_session *session, struct outbox_error *error)
{
    struct shape shape = {0};
    enum outbox_status status = read_kind(session, &shape, error);
    if (status == OUTBOX_OK && shape.exists)
        status = read_columns(session, &shape, error);
    if (status == OUTBOX_OK)
        session->shape = shape;
    return status;
}

static enum outbox_status refuse_columns(const struct outbox_session *session,
                                         struct outbox_error *error)
{
    const struct columns *columns = &session->store->columns;
    char missing[256] = "";
    size_t len = 0;
    for (int role = 0; role < ROLE_FIRST_OPTIONAL && len < sizeof(missing); role++) {
        if (!session->shape.has[role])
            len +=
                (size_t)snprintf(missing + len, sizeof(missing) - len, " %s", columns->names[role]);
    }
    return outbox_fail(error, OUTBOX_SCHEMA, "",
                       "table %.100s lacks columns:%s; name them in `columns` if they are called "
                       "otherwise, or choose another `table`",
                       columns->table, missing);
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
    for (int role = 0; role < ROLE_FIRST_OPTIONAL; role++) {
        if (!shape->has[role])
            return refuse_columns(session, error);
    }
    return OUTBOX_OK;
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
