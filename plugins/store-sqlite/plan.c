/*
 * plan.c - how SQLite would run a statement
 * SPDX-License-Identifier: MIT
 */
#include "plan.h"

#include "failure.h"
#include "template.h"

#include <stdlib.h>

/* Whether the index holds some rows of the table only, those that are looked for. */
static enum outbox_status read_partial(struct outbox_session *session, const char *index,
                                       bool *partial, struct outbox_error *error)
{
    sqlite3_stmt *row = NULL;
    if (sqlite3_prepare_v2(session->db, "SELECT partial FROM pragma_index_list(?1) WHERE name=?2",
                           -1, &row, NULL) != SQLITE_OK)
        return failure(session, "look at an index", error);
    (void)sqlite3_bind_text(row, 1, session->store->columns.table, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(row, 2, index, -1, SQLITE_STATIC);
    int code = sqlite3_step(row);
    *partial = code == SQLITE_ROW && sqlite3_column_int(row, 0) != 0;
    enum outbox_status status = code == SQLITE_ROW || code == SQLITE_DONE
                                    ? OUTBOX_OK
                                    : failure(session, "look at an index", error);
    (void)sqlite3_finalize(row); /* repeats a failure already taken */
    return status;
}

/* EXPLAIN QUERY PLAN says in English "SEARCH t USING INDEX ..." of what goes by an index, "SCAN t
 * USING COVERING INDEX ..." of what reads one from its beginning, "SCAN t" of what reads the table,
 * and "USE TEMP B-TREE FOR ORDER BY" where everything found is sorted. Sorting the "RIGHT PART"
 * only sorts rows of equal time, which is cheap. A virtual table is our own list of rows. */
static enum outbox_status judge(struct outbox_session *session, const char *line, bool *indexed,
                                struct outbox_error *error)
{
    bool scan = strncmp(line, "SCAN", 4) == 0, search = strncmp(line, "SEARCH", 6) == 0;
    const char *index = strstr(line, " INDEX ");
    *indexed = true;
    if (strstr(line, "VIRTUAL TABLE"))
        return OUTBOX_OK;
    if (!scan && !search)
        *indexed = !strstr(line, "TEMP B-TREE FOR ORDER BY");
    else if (search || !index)
        *indexed = strstr(line, " USING ") && !strstr(line, "AUTOMATIC");
    else if (session->shape.has[ROLE_STATUS]) /* without one all rows are looked for */
        return read_partial(session, index + strlen(" INDEX "), indexed, error);
    return OUTBOX_OK;
}

static enum outbox_status read_plan(struct outbox_session *session, sqlite3_stmt *plan,
                                    bool *indexed, struct outbox_error *error)
{
    int code = SQLITE_DONE;
    enum outbox_status status = OUTBOX_OK;
    *indexed = true;
    while (status == OUTBOX_OK && (code = sqlite3_step(plan)) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(plan, 3);
        bool good = false;
        if (line)
            status = judge(session, line, &good, error);
        *indexed = *indexed && good;
    }
    if (status != OUTBOX_OK)
        return status;
    return code == SQLITE_DONE ? OUTBOX_OK : failure(session, "explain a statement", error);
}

enum outbox_status plan_is_indexed(struct outbox_session *session, enum statement id, bool *indexed,
                                   struct outbox_error *error)
{
    char *sql = template_sql(&session->store->columns, &session->shape, statement_pattern(id));
    char *explain = sql ? sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql) : NULL;
    free(sql);
    if (!explain)
        return failure_no_memory("explain a statement", error);
    sqlite3_stmt *plan = NULL;
    int code = sqlite3_prepare_v2(session->db, explain, -1, &plan, NULL);
    sqlite3_free(explain);
    if (code != SQLITE_OK)
        return failure(session, "explain a statement", error);
    enum outbox_status status = read_plan(session, plan, indexed, error);
    (void)sqlite3_finalize(plan); /* repeats a failure already taken */
    return status;
}
