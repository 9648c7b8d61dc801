/*
 * lease.c - keeping leases alive and ending those that expired
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdlib.h>

static struct parameter int64_parameter(char bytes[8], int64_t number)
{
    put_int64(bytes, number);
    return (struct parameter){bytes, 8};
}

static int64_t at_least_zero(int64_t number)
{
    return number > 0 ? number : 0;
}

/* ---- Renewal ------------------------------------------------------------------------------ */

static enum outbox_status renew_from(struct outbox_session *session, struct outbox_slice token,
                                     int64_t from, uint64_t *renewed, struct outbox_error *error)
{
    enum outbox_status status;
    unsigned tries = 0;
    char at[8];
    struct parameter parameters[] = {{token.data, (size_t)token.len}, int64_parameter(at, from)};
    do {
        exchange_start(session);
        size_t place = exchange_statement(session, STATEMENT_RENEW, parameters, 2);
        status = exchange_run(session, "renew leases on", error);
        if (status == OUTBOX_OK)
            *renewed = strtoull(PQcmdTuples(exchange_result(session, place)), NULL, 10);
    } while (status != OUTBOX_OK && exchange_again(session, tries++));
    return status;
}

enum outbox_status lease_renew(struct outbox_session *session, struct outbox_slice token,
                               uint64_t expected, struct outbox_settle_result *result,
                               struct outbox_error *error)
{
    if (session->store->settings.mode != OUTBOX_MODE_LEASE)
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "renew leases on %s: the mode is hold",
                           session->store->names.table);
    enum outbox_status status = table_ensure(session, error);
    if (status != OUTBOX_OK)
        return status;
    uint64_t ticket, renewed = 0;
    struct position low = watermark_read(&session->store->leases, &ticket);
    status = renew_from(session, token, low.at, &renewed, error);
    /* The watermark is a guess. Before an event is given up, all leases are looked at. */
    if (status == OUTBOX_OK && renewed < expected && low.at > INT64_MIN)
        status = renew_from(session, token, INT64_MIN, &renewed, error);
    if (status != OUTBOX_OK)
        return status;
    result->settled = renewed;
    result->stale = expected > renewed ? expected - renewed : 0;
    return OUTBOX_OK;
}

/* ---- Expiry ------------------------------------------------------------------------------- */

/* Finds the oldest lease there is, from the watermark on or, when that is due, from the start;
 * *oldest is INT64_MAX if there is none, *server_now the server's time. Moves the watermark to it.
 */
static enum outbox_status find_oldest(struct outbox_session *session, int64_t lease,
                                      int64_t *oldest, int64_t *server_now,
                                      struct outbox_error *error)
{
    const struct outbox_host *host = session->store->host;
    struct watermark *watermark = &session->store->leases;
    uint64_t ticket;
    int64_t started = host->now(host);
    bool whole = watermark_look(watermark, started);
    struct position low = watermark_read(watermark, &ticket);
    char from[8];
    struct parameter parameter = int64_parameter(from, whole ? INT64_MIN : low.at);
    exchange_start(session);
    size_t place = exchange_statement(session, STATEMENT_OLDEST_LEASE, &parameter, 1);
    enum outbox_status status = exchange_run(session, "look for expired leases in", error);
    int64_t ended = host->now(host);
    if (whole)
        watermark_looked(watermark, ended, ended - started);
    if (status != OUTBOX_OK)
        return status;
    const PGresult *result = exchange_result(session, place);
    *server_now = get_int64(PQgetvalue(result, 0, 0));
    bool none = PQgetisnull(result, 0, 1);
    *oldest = none ? INT64_MAX : get_int64(PQgetvalue(result, 0, 1));
    struct position to = {none ? *server_now - lease : *oldest, INT64_MIN};
    if (position_compare(to, low) < 0)
        watermark_lower(watermark, to);
    else
        watermark_raise(watermark, to, ticket);
    return OUTBOX_OK;
}

static enum outbox_status reap_from(struct outbox_session *session, int64_t from,
                                    const struct outbox_reap_request *request,
                                    struct outbox_reap_result *result, struct outbox_error *error)
{
    int64_t lease = at_least_zero(request->lease);
    int64_t foreign = request->foreign_lease > lease ? request->foreign_lease : lease;
    int64_t limit = request->max_events > INT32_MAX ? INT32_MAX : (int64_t)request->max_events;
    char bytes[7][8];
    struct parameter parameters[] = {
        int64_parameter(bytes[0], from),
        int64_parameter(bytes[1], lease),
        int64_parameter(bytes[2], foreign),
        {request->owner_prefix.data, (size_t)request->owner_prefix.len},
        int64_parameter(bytes[3], limit),
        int64_parameter(bytes[4], request->max_attempts > 0 ? request->max_attempts : INT32_MAX),
        int64_parameter(bytes[5], at_least_zero(request->base_delay)),
        int64_parameter(bytes[6], at_least_zero(request->max_delay))};
    exchange_start(session);
    size_t place = exchange_statement(session, STATEMENT_REAP, parameters, 8);
    enum outbox_status status = exchange_run(session, "end expired leases on", error);
    if (status != OUTBOX_OK)
        return status;
    const PGresult *dead = exchange_result(session, place);
    for (int row = 0; row < PQntuples(dead); row++) {
        if (PQgetvalue(dead, row, 0)[0])
            result->dead++;
        else
            result->returned++;
    }
    return OUTBOX_OK;
}

enum outbox_status lease_reap(struct outbox_session *session,
                              const struct outbox_reap_request *request,
                              struct outbox_reap_result *result, struct outbox_error *error)
{
    result->returned = result->dead = 0;
    enum outbox_status status = table_ensure(session, error);
    if (status != OUTBOX_OK)
        return status;
    if (!session->table.has[ROLE_LOCKED_AT] || !session->table.has[ROLE_LOCKED_BY])
        return OUTBOX_OK; /* nothing can be leased in such a table */
    int64_t oldest = INT64_MAX, server_now = 0;
    status = find_oldest(session, at_least_zero(request->lease), &oldest, &server_now, error);
    if (status != OUTBOX_OK || oldest == INT64_MAX ||
        oldest >= server_now - at_least_zero(request->lease))
        return status;
    unsigned tries = 0;
    do
        status = reap_from(session, oldest, request, result, error);
    while (status != OUTBOX_OK && exchange_again(session, tries++));
    return status;
}
