/*
 * stats.c - counts by state
 * SPDX-License-Identifier: MIT
 */
#include "failure.h"
#include "held.h"
#include "ops.h"
#include "plan.h"

static const char doing[] = "count events";

/* The number that a statement returns; ?1, where there is one, is now. */
static enum outbox_status count(struct outbox_session *session, enum statement id, int64_t *number,
                                struct outbox_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum outbox_status status = session_statement(session, id, &statement, error);
    if (status != OUTBOX_OK)
        return status;
    if (sqlite3_bind_parameter_count(statement) > 0)
        (void)sqlite3_bind_text(statement, 1, session->now_text.text, INSTANT_LEN, SQLITE_STATIC);
    if (sqlite3_step(statement) == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    else
        status = failure(session, doing, error);
    (void)sqlite3_reset(statement); /* repeats a failure already taken */
    return status;
}

static enum outbox_status oldest_age(struct outbox_session *session, int64_t *age,
                                     struct outbox_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_OLDEST, &statement, error);
    if (status != OUTBOX_OK)
        return status;
    *age = -1;
    (void)sqlite3_bind_text(statement, 1, session->now_text.text, INSTANT_LEN, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        int64_t since = 0;
        if (text && instant_parse(text, strlen(text), &since))
            *age = session->now - since;
    } else if (code != SQLITE_DONE) {
        status = failure(session, doing, error);
    }
    (void)sqlite3_reset(statement); /* repeats a failure already taken */
    return status;
}

/* Only from an index: without one it would read the whole history. */
static enum outbox_status count_dead(struct outbox_session *session, int64_t *dead,
                                     struct outbox_error *error)
{
    bool indexed = false;
    *dead = shape_buries(&session->shape) ? -1 : 0;
    if (*dead == 0)
        return OUTBOX_OK;
    enum outbox_status status = plan_is_indexed(session, STATEMENT_COUNT_DEAD, &indexed, error);
    if (status != OUTBOX_OK || !indexed)
        return status;
    return count(session, STATEMENT_COUNT_DEAD, dead, error);
}

/* Counting the delivered would read all of them. Row numbers are given one by one, so what lies
 * between the first and the last and is nothing else has been delivered, but for rows that someone
 * deleted. Where delivering deletes, that is all of them, and no estimate can be made. */
static enum outbox_status estimate_delivered(struct outbox_session *session,
                                             struct outbox_store_stats *stats,
                                             struct outbox_error *error)
{
    int64_t span = 0;
    stats->delivered = -1;
    if (session->store->delete_delivered)
        return OUTBOX_OK; /* also where there is no state for it */
    enum outbox_status status = count(session, STATEMENT_ROW_SPAN, &span, error);
    if (status != OUTBOX_OK)
        return status;
    int64_t others = stats->pending + stats->delivering + (stats->dead > 0 ? stats->dead : 0);
    stats->delivered = span > others ? span - others : 0;
    stats->estimated |= OUTBOX_ESTIMATED_DELIVERED;
    return OUTBOX_OK;
}

static enum outbox_status count_all(struct outbox_session *session,
                                    struct outbox_store_stats *stats, struct outbox_error *error)
{
    enum outbox_status status = session_read_clock(session, doing, error);
    if (status == OUTBOX_OK)
        status = count(session, STATEMENT_COUNT_PENDING, &stats->pending, error);
    if (status == OUTBOX_OK)
        status = count(session, STATEMENT_COUNT_SCHEDULED, &stats->scheduled, error);
    if (status == OUTBOX_OK)
        status = oldest_age(session, &stats->oldest_age, error);
    if (status == OUTBOX_OK)
        status = count(session, STATEMENT_COUNT_DELIVERING, &stats->delivering, error);
    if (status == OUTBOX_OK)
        status = count_dead(session, &stats->dead, error);
    return status == OUTBOX_OK ? estimate_delivered(session, stats, error) : status;
}

enum outbox_status store_stats(struct outbox_session *session, struct outbox_store_stats *stats,
                               struct outbox_error *error)
{
    stats->estimated = 0;
    enum outbox_status status = session_ready(session, false, error);
    /* One transaction, which only reads, so that the counts are of one moment. */
    if (status == OUTBOX_OK)
        status = session_execute(session, "BEGIN", doing, error);
    if (status != OUTBOX_OK)
        return status;
    status = count_all(session, stats, error);
    if (status == OUTBOX_OK)
        held_recount(session, stats);
    status = transaction_end(session, status, doing, error);
    /* Nobody reads these pages again until the next count. */
    (void)sqlite3_db_release_memory(session->db);
    return status;
}
