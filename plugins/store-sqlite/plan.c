/*
 * plan.c - how SQLite would run a statement
 * SPDX-License-Identifier: MIT
 */
#include "plan.h"

#include "failure.h"
#include "template.h"

#include <stdlib.h>

/* EXPLAIN QUERY PLAN says in English "SEARCH t USING INDEX ..." or "SCAN t USING COVERING INDEX
 * ..." of what goes by an index, "SCAN t" of what reads the table, and "USE TEMP B-TREE FOR ORDER
 * BY" where everything found is sorted. Sorting the "RIGHT PART" only sorts rows of equal time,
 * which is cheap. A virtual table is our own list of rows. */
static bool line_is_indexed(const char *line)
{
    if (strncmp(line, "SCAN", 4) == 0 || strncmp(line, "SEARCH", 6) == 0)
        return (strstr(line, " USING ") && !strstr(line, "AUTOMATIC")) ||
               strstr(line, "VIRTUAL TABLE");
    return !strstr(line, "TEMP B-TREE FOR ORDER BY");
}

static enum outbox_status read_plan(struct outbox_session *session, sqlite3_stmt *plan,
                                    bool *indexed, struct outbox_error *error)
{
    int code;
    *indexed = true;
    while ((code = sqlite3_step(plan)) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(plan, 3);
        if (!line || !line_is_indexed(line))
            *indexed = false;
    }
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
