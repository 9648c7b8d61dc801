/*
 * prune.c - deleting finished events
 * SPDX-License-Identifier: MIT
 *
 * A pass walks the rows by their numbers, so many at a time, without the write lock: that is taken
 * only for what is found.
 */
#include "failure.h"
#include "ops.h"

#include <stdlib.h>

#define WINDOW_ROWS INT64_C(50000)

static const char doing[] = "prune";

struct old_rows {
    int64_t *numbers;
    uint64_t count;
};

/* From where on an event is too young; no text is less than the empty one. */
static void bind_limit(sqlite3_stmt *statement, int place, int64_t now, int64_t age)
{
    struct instant limit = age < 0 ? (struct instant){""} : instant_of(instant_add(now, -age));
    (void)sqlite3_bind_text(statement, place, limit.text, -1, SQLITE_TRANSIENT);
}

static enum outbox_status count_old(struct outbox_session *session,
                                    const struct outbox_prune_request *request,
                                    struct outbox_prune_result *result, struct outbox_error *error)
{
    sqlite3_stmt *count = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_COUNT_OLD, &count, error);
    if (status != OUTBOX_OK)
        return status;
    bind_limit(count, 1, session->now, request->delivered_age);
    bind_limit(count, 2, session->now, request->dead_age);
    if (sqlite3_step(count) == SQLITE_ROW) {
        result->delivered = (uint64_t)sqlite3_column_int64(count, 0);
        result->dead = (uint64_t)sqlite3_column_int64(count, 1);
    } else {
        status = failure(session, doing, error);
    }
    (void)sqlite3_reset(count); /* repeats a failure already taken */
    return status;
}

static enum outbox_status last_row(struct outbox_session *session, int64_t *last,
                                   struct outbox_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_LAST_ROW, &statement, error);
    if (status != OUTBOX_OK)
        return status;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *last = sqlite3_column_int64(statement, 0);
    else
        status = failure(session, doing, error);
    (void)sqlite3_reset(statement); /* repeats a failure already taken */
    return status;
}

static enum outbox_status find_old(struct outbox_session *session,
                                   const struct outbox_prune_request *request,
                                   struct old_rows *rows, struct outbox_error *error)
{
    sqlite3_stmt *old = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_OLD, &old, error);
    if (status != OUTBOX_OK)
        return status;
    int64_t after = (int64_t)request->position;
    uint64_t limit = request->max_events < WINDOW_ROWS ? request->max_events : WINDOW_ROWS;
    rows->numbers = calloc(limit, sizeof(*rows->numbers));
    if (!rows->numbers)
        return failure_no_memory(doing, error);
    bind_limit(old, 1, session->now, request->delivered_age);
    bind_limit(old, 2, session->now, request->dead_age);
    (void)sqlite3_bind_int64(old, 3, after);
    (void)sqlite3_bind_int64(old, 4, after + WINDOW_ROWS);
    (void)sqlite3_bind_int64(old, 5, (int64_t)limit);
    int code = sqlite3_step(old);
    for (; code == SQLITE_ROW && rows->count < limit; code = sqlite3_step(old))
        rows->numbers[rows->count++] = sqlite3_column_int64(old, 0);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = failure(session, doing, error);
    (void)sqlite3_reset(old); /* repeats a failure already taken */
    return status;
}

/* Looks once more whether it is old: it was found without the write lock. */
static enum outbox_status delete_one(struct outbox_session *session,
                                     const struct outbox_prune_request *request, int64_t row,
                                     struct outbox_prune_result *result, struct outbox_error *error)
{
    sqlite3_stmt *prune = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_PRUNE, &prune, error);
    if (status != OUTBOX_OK)
        return status;
    bind_limit(prune, 1, session->now, request->delivered_age);
    bind_limit(prune, 2, session->now, request->dead_age);
    (void)sqlite3_bind_int64(prune, 3, row);
    int code = sqlite3_step(prune);
    if (code == SQLITE_ROW && sqlite3_column_int(prune, 0))
        result->dead++;
    else if (code == SQLITE_ROW)
        result->delivered++;
    else if (code != SQLITE_DONE)
        status = failure(session, doing, error);
    (void)sqlite3_reset(prune); /* repeats a failure already taken */
    return status;
}

static enum outbox_status delete_found(struct outbox_session *session,
                                       const struct outbox_prune_request *request,
                                       const struct old_rows *rows,
                                       struct outbox_prune_result *result,
                                       struct outbox_error *error)
{
    enum outbox_status status = transaction_begin(session, doing, error);
    if (status != OUTBOX_OK)
        return status;
    for (uint64_t i = 0; i < rows->count && status == OUTBOX_OK; i++)
        status = delete_one(session, request, rows->numbers[i], result, error);
    status = transaction_end(session, status, doing, error);
    if (status != OUTBOX_OK)
        result->delivered = result->dead = 0;
    return status;
}

static enum outbox_status prune(struct outbox_session *session,
                                const struct outbox_prune_request *request,
                                struct outbox_prune_result *result, struct outbox_error *error)
{
    struct old_rows rows = {NULL, 0};
    int64_t last = 0;
    enum outbox_status status = last_row(session, &last, error);
    if (status == OUTBOX_OK)
        status = find_old(session, request, &rows, error);
    if (status == OUTBOX_OK && rows.count > 0)
        status = delete_found(session, request, &rows, result, error);
    int64_t next = (int64_t)request->position + WINDOW_ROWS;
    if (rows.count == request->max_events || rows.count == WINDOW_ROWS)
        next = rows.numbers[rows.count - 1]; /* there may be more in this window */
    result->position = next < last ? (uint64_t)next : 0;
    free(rows.numbers);
    return status;
}

enum outbox_status store_prune(struct outbox_session *session,
                               const struct outbox_prune_request *request,
                               struct outbox_prune_result *result, struct outbox_error *error)
{
    *result = (struct outbox_prune_result){.size = result->size};
    if (request->max_events == 0 && !request->only_count)
        return outbox_fail(error, OUTBOX_INVALID, "", "%s: max_events is 0", doing);
    enum outbox_status status = session_ready(session, false, error);
    if (status == OUTBOX_OK)
        status = session_read_clock(session, doing, error);
    if (status != OUTBOX_OK)
        return status;
    return request->only_count ? count_old(session, request, result, error)
                               : prune(session, request, result, error);
}
