/*
 * stats.c - how many events are in which state
 * SPDX-License-Identifier: MIT
 */
#include "claim.h"
#include "driver.h"

#include <stdlib.h>

/* A table up to this size is counted row by row. */
#define SMALL_TABLE (INT64_C(32) << 20)

/* The columns of STATEMENT_STATS. */
enum { DUE, SCHEDULED, DELIVERING, DEAD, OLDEST_AGE };

struct reading {
    int64_t numbers[5];
};

static void take_numbers(void *context, const char *const values[ANSWER_COLUMNS])
{
    struct reading *reading = context;
    for (int i = 0; i < 5; i++)
        reading->numbers[i] = values[i] ? strtoll(values[i], NULL, 10) : -1;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* What the server reckons the table to hold, and its size in bytes. */
static enum outbox_status read_size(struct outbox_session *session, struct reading *size,
                                    struct outbox_error *error)
{
    const struct names *names = &session->store->names;
    parameters_start(session);
    parameter_text(session, outbox_slice_of(names->schema));
    parameter_text(session, outbox_slice_of(names->relation));
    return ask(session,
               "SELECT table_rows, data_length + index_length, NULL, NULL, NULL"
               " FROM information_schema.tables"
               " WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?",
               "count the events of", take_numbers, size, error);
}

/* Only what an index answers at once. */
static void read_counts(const struct reading *counts, struct outbox_store_stats *stats)
{
    const int64_t *numbers = counts->numbers;
    stats->pending = larger(numbers[DUE], 0) + larger(numbers[SCHEDULED], 0);
    stats->scheduled = larger(numbers[SCHEDULED], 0);
    stats->delivering = numbers[DELIVERING];
    stats->dead = numbers[DEAD];
    stats->oldest_age = larger(numbers[OLDEST_AGE], -1);
    if (numbers[DUE] > STATS_CAP || numbers[SCHEDULED] > STATS_CAP)
        stats->estimated |= OUTBOX_ESTIMATED_PENDING;
    if (stats->dead > STATS_CAP)
        stats->estimated |= OUTBOX_ESTIMATED_DEAD;
}

static void estimate_delivered(const struct outbox_session *session, const struct reading *size,
                               struct outbox_store_stats *stats)
{
    stats->delivered = 0;
    if (!session->table.state[STATE_DELIVERED][0])
        return;
    stats->estimated |= OUTBOX_ESTIMATED_DELIVERED;
    stats->delivered = larger(0, size->numbers[0] - stats->pending - larger(stats->delivering, 0) -
                                     larger(stats->dead, 0));
}

static enum outbox_status count_all(struct outbox_session *session,
                                    struct outbox_store_stats *stats, struct outbox_error *error)
{
    struct reading counts = {{0}};
    parameters_start(session);
    enum outbox_status status = ask_statement(session, STATEMENT_SMALL_STATS, "count the events of",
                                              take_numbers, &counts, error);
    stats->delivered = counts.numbers[0];
    stats->dead = counts.numbers[1];
    stats->delivering = counts.numbers[2];
    if (stats->estimated & OUTBOX_ESTIMATED_PENDING)
        stats->pending = counts.numbers[3];
    stats->estimated = 0;
    return status;
}

/* The rows of a plan. MySQL has two columns more than MariaDB. */
static void take_rows(void *context, const char *const values[ANSWER_COLUMNS])
{
    const char *rows = values[10] ? values[9] : values[8];
    int64_t *reckoned = context;
    *reckoned = rows ? strtoll(rows, NULL, 10) : 0;
}

/* Of more than is counted. */
static enum outbox_status estimate_pending(struct outbox_session *session,
                                           struct outbox_store_stats *stats,
                                           struct outbox_error *error)
{
    int64_t reckoned = 0;
    if (!(stats->estimated & OUTBOX_ESTIMATED_PENDING))
        return OUTBOX_OK;
    parameters_start(session);
    enum outbox_status status = ask_statement(session, STATEMENT_ESTIMATE, "count the events of",
                                              take_rows, &reckoned, error);
    stats->pending = larger(stats->pending, reckoned);
    return status;
}

static enum outbox_status read_all(struct outbox_session *session, struct outbox_store_stats *stats,
                                   struct outbox_error *error)
{
    struct reading counts = {{0}}, size = {{0}};
    parameters_start(session);
    enum outbox_status status = ask_statement(session, STATEMENT_STATS, "count the events of",
                                              take_numbers, &counts, error);
    if (status == OUTBOX_OK)
        status = read_size(session, &size, error);
    if (status != OUTBOX_OK)
        return status;
    stats->estimated = 0;
    read_counts(&counts, stats);
    if (size.numbers[1] <= SMALL_TABLE)
        return count_all(session, stats, error);
    status = estimate_pending(session, stats, error);
    estimate_delivered(session, &size, stats);
    return status;
}

/* What is held stays held: counting ends no transaction but its own. */
enum outbox_status stats_read(struct outbox_session *session, struct outbox_store_stats *stats,
                              struct outbox_error *error)
{
    enum outbox_status status = table_ensure(session, error);
    if (status == OUTBOX_OK)
        status = read_all(session, stats, error);
    if (status == OUTBOX_OK)
        held_recount(session, stats);
    if (status == OUTBOX_OK)
        return session->held ? OUTBOX_OK : commit(session, "count the events of", error);
    return give_up(session, status);
}
