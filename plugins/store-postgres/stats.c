/*
 * stats.c - how many events are in which state
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

/* A table up to this size is counted row by row. */
#define SMALL_TABLE (INT64_C(32) << 20)

/* The columns of STATEMENT_STATS. */
enum { DUE, SCHEDULED, DELIVERING, DEAD, OLDEST_AGE, TABLE_SIZE, TABLE_ROWS, INDEX_ROWS };

static int64_t number(const PGresult *result, int column, int64_t otherwise)
{
    if (PQgetisnull(result, 0, column))
        return otherwise;
    return get_integer(PQgetvalue(result, 0, column), PQgetlength(result, 0, column));
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void read_counts(const PGresult *result, struct outbox_store_stats *stats)
{
    int64_t due = number(result, DUE, 0), scheduled = number(result, SCHEDULED, 0);
    stats->pending = due + scheduled;
    stats->scheduled = scheduled;
    stats->delivering = number(result, DELIVERING, 0);
    stats->dead = number(result, DEAD, -1);
    stats->oldest_age = larger(number(result, OLDEST_AGE, -1), -1);
    if (due > STATS_CAP || scheduled > STATS_CAP) {
        stats->pending = larger(stats->pending, number(result, INDEX_ROWS, 0));
        stats->estimated |= OUTBOX_ESTIMATED_PENDING;
    }
    if (stats->dead > STATS_CAP)
        stats->estimated |= OUTBOX_ESTIMATED_DEAD;
}

/* What the planner reckons the table to hold, less what was counted. */
static void estimate_delivered(const PGresult *result, struct outbox_store_stats *stats)
{
    int64_t rows = number(result, TABLE_ROWS, -1);
    stats->estimated |= OUTBOX_ESTIMATED_DELIVERED;
    stats->delivered = -1;
    if (rows >= 0)
        stats->delivered =
            larger(0, rows - stats->pending - stats->delivering - larger(stats->dead, 0));
}

/* A small table is read as a whole, which is the one thing that the session's settings forbid. */
static enum outbox_status count_delivered(struct outbox_session *session,
                                          struct outbox_store_stats *stats,
                                          struct outbox_error *error)
{
    exchange_start(session);
    exchange_text(session, "SELECT set_config('enable_seqscan', 'on', true)");
    size_t place = exchange_statement(session, STATEMENT_SMALL_STATS, NULL, 0);
    enum outbox_status status = exchange_run(session, "count the events of", error);
    if (status != OUTBOX_OK)
        return status;
    const struct outbox_store *store = session->store;
    stats->delivered = stats->dead = -1;
    if (states_have(&store->states, STATE_DELIVERED))
        stats->delivered = number(exchange_result(session, place), 0, 0);
    if (states_have(&store->states, STATE_DEAD))
        stats->dead = number(exchange_result(session, place), 1, 0);
    return OUTBOX_OK;
}

static enum outbox_status read_all(struct outbox_session *session, struct outbox_store_stats *stats,
                                   struct outbox_error *error)
{
    enum outbox_status status = table_ensure(session, error);
    if (status != OUTBOX_OK)
        return status;
    char table[4], index[4];
    put_int32(table, (int32_t)session->table.oid);
    put_int32(index, (int32_t)session->table.claim_index);
    struct parameter parameters[] = {{table, 4}, {index, 4}};
    exchange_start(session);
    size_t place = exchange_statement(session, STATEMENT_STATS, parameters, 2);
    status = exchange_run(session, "count the events of", error);
    if (status != OUTBOX_OK)
        return status;
    const PGresult *result = exchange_result(session, place);
    stats->estimated = 0;
    read_counts(result, stats);
    if (!session->table.has[ROLE_STATUS]) {
        stats->delivered = stats->dead = -1; /* what is there is pending, the rest is gone */
        return OUTBOX_OK;
    }
    if (number(result, TABLE_SIZE, 0) <= SMALL_TABLE)
        return count_delivered(session, stats, error);
    estimate_delivered(result, stats);
    return OUTBOX_OK;
}

enum outbox_status stats_read(struct outbox_session *session, struct outbox_store_stats *stats,
                              struct outbox_error *error)
{
    enum outbox_status status = read_all(session, stats, error);
    if (status == OUTBOX_OK)
        held_recount(session, stats);
    return status;
}
