/*
 * reap.c - ending leases that have expired
 * SPDX-License-Identifier: MIT
 */
#include "failure.h"
#include "ops.h"

#include <inttypes.h>
#include <stdlib.h>

static const char doing[] = "end expired leases";

struct expired {
    int64_t rowid, attempts;
    char owner[96]; /* as much of it as last_error shows */
};

struct expired_list {
    struct expired *items;
    size_t count, capacity;
};

static bool list_add(struct expired_list *list, sqlite3_stmt *row)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct expired *items = realloc(list->items, capacity * sizeof(*items));
        if (!items)
            return false;
        list->items = items;
        list->capacity = capacity;
    }
    struct expired *item = &list->items[list->count++];
    item->rowid = sqlite3_column_int64(row, 0);
    item->attempts = sqlite3_column_int64(row, 1);
    const char *owner = (const char *)sqlite3_column_text(row, 2);
    (void)snprintf(item->owner, sizeof(item->owner), "%s", owner ? owner : "nobody");
    return true;
}

/* Without a list: only whether there is one, in *found. */
static enum outbox_status find_expired(struct outbox_session *session,
                                       const struct outbox_reap_request *request, int64_t now,
                                       struct expired_list *list, bool *found,
                                       struct outbox_error *error)
{
    sqlite3_stmt *row = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_EXPIRED, &row, error);
    if (status != OUTBOX_OK)
        return status;
    struct instant ours = instant_of(instant_add(now, -request->lease));
    struct instant foreign = instant_of(instant_add(now, -request->foreign_lease));
    const char *later = strcmp(ours.text, foreign.text) > 0 ? ours.text : foreign.text;
    const char *prefix = request->owner_prefix.data ? request->owner_prefix.data : "";
    uint64_t limit = list ? request->max_events : 1;
    (void)sqlite3_bind_text64(row, 1, prefix, request->owner_prefix.len, SQLITE_STATIC,
                              SQLITE_UTF8);
    (void)sqlite3_bind_text(row, 2, ours.text, INSTANT_LEN, SQLITE_STATIC);
    (void)sqlite3_bind_text(row, 3, foreign.text, INSTANT_LEN, SQLITE_STATIC);
    (void)sqlite3_bind_text(row, 4, later, INSTANT_LEN, SQLITE_STATIC);
    (void)sqlite3_bind_int64(row, 5, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
    int code = sqlite3_step(row);
    *found = code == SQLITE_ROW;
    while (list && code == SQLITE_ROW && status == OUTBOX_OK) {
        if (!list_add(list, row))
            status = failure_no_memory(doing, error);
        else
            code = sqlite3_step(row);
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = failure(session, doing, error);
    (void)sqlite3_reset(row); /* repeats a failure already taken */
    return status;
}

/* base * 2^(attempts-1), at most max. */
static int64_t backoff(const struct outbox_reap_request *request, int64_t attempts)
{
    int64_t delay = request->base_delay;
    for (int64_t i = 1; i < attempts && delay > 0 && delay < request->max_delay; i++)
        delay = delay > INT64_MAX / 2 ? INT64_MAX : delay * 2;
    return delay < request->max_delay ? delay : request->max_delay;
}

static enum outbox_status reap_one(struct outbox_session *session,
                                   const struct outbox_reap_request *request,
                                   const struct expired *item, struct outbox_reap_result *result,
                                   struct outbox_error *error)
{
    sqlite3_stmt *reap = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_REAP, &reap, error);
    if (status != OUTBOX_OK)
        return status;
    int64_t attempts = item->attempts < INT64_MAX ? item->attempts + 1 : INT64_MAX;
    bool dead = attempts >= request->max_attempts;
    struct instant available = instant_of(instant_add(session->now, backoff(request, attempts)));
    char reason[256];
    int len = snprintf(reason, sizeof(reason),
                       "attempt %" PRId64 ": the lease of %s expired before an outcome was written",
                       attempts, item->owner);
    (void)sqlite3_bind_int64(reap, 1, item->rowid);
    (void)sqlite3_bind_int(reap, 2, dead);
    (void)sqlite3_bind_int64(reap, 4, attempts);
    (void)sqlite3_bind_text(reap, 3, session->now_text.text, INSTANT_LEN, SQLITE_STATIC);
    (void)sqlite3_bind_text(reap, 5, reason, len, SQLITE_STATIC);
    (void)sqlite3_bind_text(reap, 6, dead ? NULL : available.text, INSTANT_LEN, SQLITE_STATIC);
    status = session_run(session, reap, doing, error);
    if (status == OUTBOX_OK && dead)
        result->dead++;
    else if (status == OUTBOX_OK)
        result->returned++;
    return status;
}

static enum outbox_status reap_in_transaction(struct outbox_session *session,
                                              const struct outbox_reap_request *request,
                                              struct outbox_reap_result *result,
                                              struct outbox_error *error)
{
    struct expired_list list = {NULL, 0, 0};
    bool found = false;
    enum outbox_status status = find_expired(session, request, session->now, &list, &found, error);
    for (size_t i = 0; i < list.count && status == OUTBOX_OK; i++)
        status = reap_one(session, request, &list.items[i], result, error);
    free(list.items);
    return status;
}

enum outbox_status store_reap(struct outbox_session *session,
                              const struct outbox_reap_request *request,
                              struct outbox_reap_result *result, struct outbox_error *error)
{
    bool found = false;
    result->returned = 0;
    result->dead = 0;
    enum outbox_status status = session_ready(session, false, error);
    if (status == OUTBOX_OK)
        status = session_require_shape(session, error);
    if (status != OUTBOX_OK || !shape_leases(&session->shape))
        return status;
    status = session_read_clock(session, doing, error);
    /* First without the write lock: almost always there is none. */
    if (status == OUTBOX_OK)
        status = find_expired(session, request, session->now, NULL, &found, error);
    if (status != OUTBOX_OK || !found)
        return status;
    status = transaction_begin(session, doing, error);
    if (status != OUTBOX_OK)
        return status;
    status = reap_in_transaction(session, request, result, error);
    return transaction_end(session, status, doing, error);
}
