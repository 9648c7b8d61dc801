/*
 * holders.c - who holds the events that are being delivered
 * SPDX-License-Identifier: MIT
 */
#include "failure.h"
#include "ops.h"
#include "plan.h"

static const char doing[] = "look who holds events";

/* Leases beyond this are not looked at. */
enum { HOLDERS_CAP = 20000 };

/* The columns of STATEMENT_HOLDERS. */
enum { TOKEN, EVENTS, SINCE };

static enum outbox_status cannot_tell(const struct outbox_session *session, const char *why,
                                      struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "%s of %s: %s", doing,
                       session->store->columns.table, why);
}

/* The index that finds expired leases finds all of them. */
static enum outbox_status can_tell(struct outbox_session *session, struct outbox_error *error)
{
    bool indexed = false;
    if (!session->store->lease)
        return cannot_tell(session, "in mode hold the database knows no owner", error);
    enum outbox_status status = session_require_shape(session, error);
    if (status == OUTBOX_OK)
        status = plan_is_indexed(session, STATEMENT_EXPIRED, &indexed, error);
    if (status != OUTBOX_OK || indexed)
        return status;
    return cannot_tell(session, "it has no index that finds leases", error);
}

static struct outbox_holder read_holder(const struct outbox_session *session, sqlite3_stmt *row)
{
    struct outbox_holder holder = {.size = sizeof(holder), .held_for = -1};
    const char *since = (const char *)sqlite3_column_text(row, SINCE);
    int64_t at = 0;
    holder.token.data = (const char *)sqlite3_column_text(row, TOKEN);
    holder.token.len = (uint64_t)sqlite3_column_bytes(row, TOKEN);
    holder.events = (uint64_t)sqlite3_column_int64(row, EVENTS);
    if (since && instant_parse(since, strlen(since), &at))
        holder.held_for = session->now > at ? session->now - at : 0;
    return holder;
}

static enum outbox_status emit_all(struct outbox_session *session, outbox_holder_seen *emit,
                                   void *context, uint32_t *partial, struct outbox_error *error)
{
    sqlite3_stmt *row = NULL;
    uint64_t events = 0;
    int code, count = 0;
    enum outbox_status status = session_statement(session, STATEMENT_HOLDERS, &row, error);
    if (status != OUTBOX_OK)
        return status;
    (void)sqlite3_bind_int(row, 1, HOLDERS_CAP + 1);
    (void)sqlite3_bind_int(row, 2, OUTBOX_HOLDER_TOKEN_MAX);
    (void)sqlite3_bind_int(row, 3, OUTBOX_HOLDERS_MAX + 1);
    while ((code = sqlite3_step(row)) == SQLITE_ROW && count++ < OUTBOX_HOLDERS_MAX) {
        struct outbox_holder holder = read_holder(session, row);
        events += holder.events;
        emit(context, &holder);
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = failure(session, doing, error);
    (void)sqlite3_reset(row); /* repeats a failure already taken */
    *partial = code == SQLITE_ROW || events > HOLDERS_CAP;
    return status;
}

enum outbox_status store_holders(struct outbox_session *session, outbox_holder_seen *emit,
                                 void *context, uint32_t *partial, struct outbox_error *error)
{
    enum outbox_status status = session_ready(session, false, error);
    if (status == OUTBOX_OK)
        status = can_tell(session, error);
    if (status == OUTBOX_OK)
        status = session_read_clock(session, doing, error);
    if (status == OUTBOX_OK)
        status = emit_all(session, emit, context, partial, error);
    /* As after a count. */
    (void)sqlite3_db_release_memory(session->db);
    return status;
}
