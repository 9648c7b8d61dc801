/*
 * prune.c - deleting finished events, and which session does it
 * SPDX-License-Identifier: MIT
 *
 * No index leads to old finished events, for every delivery would have to pay for it. A pass walks
 * the table's blocks instead, as vacuum does, so many at a time.
 */
#include "driver.h"

#include <stdlib.h>

/* 64 MiB of the usual blocks. */
#define WINDOW_BLOCKS 8192

/* The columns of STATEMENT_PRUNE. */
enum { DELIVERED, DEAD, FOUND, LAST_BLOCK, BLOCKS };

static struct parameter int64_parameter(char bytes[8], int64_t number)
{
    put_int64(bytes, number);
    return (struct parameter){bytes, 8};
}

static int64_t number(const PGresult *result, int column)
{
    return PQgetisnull(result, 0, column) ? 0 : get_int64(PQgetvalue(result, 0, column));
}

static enum outbox_status count_old(struct outbox_session *session,
                                    const struct outbox_prune_request *request,
                                    struct outbox_prune_result *result, struct outbox_error *error)
{
    char bytes[2][8];
    struct parameter parameters[] = {int64_parameter(bytes[0], request->delivered_age),
                                     int64_parameter(bytes[1], request->dead_age)};
    session->exchange.endless = true;
    exchange_start(session);
    exchange_unlimited(session);
    size_t place = exchange_statement(session, STATEMENT_COUNT_OLD, parameters, 2);
    enum outbox_status status = exchange_run(session, "count finished events in", error);
    session->exchange.endless = false;
    if (status != OUTBOX_OK)
        return status;
    result->delivered = (uint64_t)number(exchange_result(session, place), DELIVERED);
    result->dead = (uint64_t)number(exchange_result(session, place), DEAD);
    return OUTBOX_OK;
}

/* Positions are blocks, counted from 1. Where as many events were found as there may be, the last
 * block can hold more of them. In a partitioned table there is no walking: each look is one at the
 * whole, until it finds too little. */
static uint64_t next_position(const struct table *table, const PGresult *result, int64_t first,
                              int64_t limit)
{
    bool is_full = number(result, FOUND) >= limit;
    if (!table->by_tid)
        return is_full;
    if (is_full)
        return (uint64_t)number(result, LAST_BLOCK) + 1;
    int64_t end = first + WINDOW_BLOCKS;
    return end < number(result, BLOCKS) ? (uint64_t)end + 1 : 0;
}

static enum outbox_status delete_old(struct outbox_session *session,
                                     const struct outbox_prune_request *request,
                                     struct outbox_prune_result *result, struct outbox_error *error)
{
    const struct table *table = &session->table;
    int64_t limit = request->max_events > INT32_MAX ? INT32_MAX : (int64_t)request->max_events;
    int64_t first = request->position > 0 ? (int64_t)(request->position - 1) : 0;
    char bytes[5][8], oid[4];
    put_int32(oid, (int32_t)table->oid);
    struct parameter parameters[] = {int64_parameter(bytes[0], request->delivered_age),
                                     int64_parameter(bytes[1], request->dead_age),
                                     int64_parameter(bytes[2], limit),
                                     int64_parameter(bytes[3], first),
                                     int64_parameter(bytes[4], first + WINDOW_BLOCKS),
                                     {oid, 4}};
    session->exchange.endless = !table->by_tid;
    exchange_start(session);
    if (!table->by_tid)
        exchange_unlimited(session);
    size_t place = exchange_statement(session, STATEMENT_PRUNE, parameters, table->by_tid ? 6 : 3);
    enum outbox_status status = exchange_run(session, "prune", error);
    session->exchange.endless = false;
    if (status != OUTBOX_OK)
        return status;
    const PGresult *answer = exchange_result(session, place);
    result->delivered = (uint64_t)number(answer, DELIVERED);
    result->dead = (uint64_t)number(answer, DEAD);
    result->position = next_position(table, answer, first, limit);
    return OUTBOX_OK;
}

enum outbox_status prune_events(struct outbox_session *session,
                                const struct outbox_prune_request *request,
                                struct outbox_prune_result *result, struct outbox_error *error)
{
    *result = (struct outbox_prune_result){.size = result->size};
    if (request->max_events == 0 && !request->only_count)
        return outbox_fail(error, OUTBOX_INVALID, "", "prune %s: max_events is 0",
                           session->store->names.table);
    enum outbox_status status = exchange_rollback(session, error);
    if (status == OUTBOX_OK)
        status = table_ensure(session, error);
    if (status != OUTBOX_OK || !session->table.has[ROLE_STATUS])
        return status; /* without a status nothing is known to be finished */
    if (request->only_count)
        return count_old(session, request, result, error);
    unsigned tries = 0;
    do
        status = delete_old(session, request, result, error);
    while (status != OUTBOX_OK && exchange_again(session, tries++));
    return status;
}

/* A lock of the session, which would count if it were taken twice. */
enum outbox_status prune_maintain(struct outbox_session *session, uint32_t wanted,
                                  uint32_t *granted, struct outbox_error *error)
{
    enum outbox_status status = table_ensure(session, error);
    *granted = status == OUTBOX_OK && session->maintains;
    if (status != OUTBOX_OK || session->maintains == (wanted != 0))
        return status;
    char sql[96];
    (void)snprintf(sql, sizeof(sql), "SELECT pg_catalog.pg_%s(%d, %d)",
                   wanted ? "try_advisory_lock" : "advisory_unlock", LOCK_MAINTAIN,
                   (int)session->table.oid);
    exchange_start(session);
    size_t place = exchange_text(session, sql);
    status = exchange_run(session, wanted ? "become the maintainer of" : "stop maintaining", error);
    if (status != OUTBOX_OK)
        return status;
    bool is_done = PQgetvalue(exchange_result(session, place), 0, 0)[0] == 't';
    session->maintains = wanted && is_done;
    *granted = session->maintains;
    return OUTBOX_OK;
}
