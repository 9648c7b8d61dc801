/*
 * lease.c - keeping leases alive and ending those that expired
 * SPDX-License-Identifier: MIT
 *
 * Leases are found by the claim index, in which the rows that are being delivered stand together. A
 * search reads without locking and gives the keys; what it found is then written by key, in the
 * order of all writes, and only where it is still as it was found.
 */
#include "driver.h"

static int64_t at_least_zero(int64_t number)
{
    return number > 0 ? number : 0;
}

static void take_keys(struct outbox_session *session)
{
    keys_reset(&session->keys);
    for (size_t i = 0; i < session->found.count; i++)
        keys_add(&session->keys, session->found.list[i].key);
    keys_sort(&session->keys);
}

/* ---- Renewal ------------------------------------------------------------------------------ */

static enum outbox_status renew_once(struct outbox_session *session, struct outbox_slice token,
                                     struct position from, uint64_t *renewed,
                                     struct outbox_error *error)
{
    static const char what[] = "renew leases on";
    MYSQL_STMT *statement;
    *renewed = 0;
    parameters_start(session);
    push_from(session, from);
    parameter_text(session, token);
    enum outbox_status status =
        statement_run(session, STATEMENT_LEASES_OF, 0, what, &statement, error);
    if (status == OUTBOX_OK)
        status = found_read(session, statement, what, error);
    if (status == OUTBOX_OK && session->found.count > 0) {
        take_keys(session);
        parameters_start(session);
        unsigned size = keys_push(session, &session->keys);
        parameter_text(session, token);
        status = statement_run(session, STATEMENT_RENEW, size, what, &statement, error);
        if (status == OUTBOX_OK)
            *renewed = mysql_stmt_affected_rows(statement);
    }
    if (status == OUTBOX_OK)
        status = commit(session, what, error);
    return status == OUTBOX_OK ? OUTBOX_OK : give_up(session, status);
}

static enum outbox_status renew_from(struct outbox_session *session, struct outbox_slice token,
                                     struct position from, uint64_t *renewed,
                                     struct outbox_error *error)
{
    enum outbox_status status;
    unsigned tries = 0;
    do
        status = renew_once(session, token, from, renewed, error);
    while (status != OUTBOX_OK && try_again(session, tries++));
    return status;
}

enum outbox_status lease_renew(struct outbox_session *session, struct outbox_slice token,
                               uint64_t expected, struct outbox_settle_result *result,
                               struct outbox_error *error)
{
    if (!is_lease(session->store))
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "renew leases on %s: the mode is hold",
                           session->store->names.table);
    enum outbox_status status = table_ensure(session, error);
    if (status != OUTBOX_OK)
        return status;
    uint64_t ticket, renewed = 0;
    struct position low = watermark_read(&session->store->leases, &ticket);
    status = renew_from(session, token, low, &renewed, error);
    /* The watermark is a guess. Before an event is given up, all leases are looked at. */
    if (status == OUTBOX_OK && renewed < expected && position_compare(low, POSITION_FIRST) > 0)
        status = renew_from(session, token, POSITION_FIRST, &renewed, error);
    if (status != OUTBOX_OK)
        return status;
    result->settled = renewed;
    result->stale = expected > renewed ? expected - renewed : 0;
    return OUTBOX_OK;
}

/* ---- Expiry ------------------------------------------------------------------------------- */

/* Finds the first row that is being delivered, from the watermark on or, when that is due, from the
 * start, and moves the watermark to it. *any is false if there is none. */
static enum outbox_status find_oldest(struct outbox_session *session, struct position *oldest,
                                      bool *any, struct outbox_error *error)
{
    static const char what[] = "look for expired leases in";
    struct watermark *watermark = &session->store->leases;
    uint64_t ticket, unused;
    MYSQL_STMT *statement;
    bool whole = watermark_look(watermark, now(session));
    struct position low = watermark_read(watermark, &ticket);
    struct position pending = watermark_read(&session->store->pending, &unused);
    parameters_start(session);
    push_from(session, whole ? POSITION_FIRST : low);
    enum outbox_status status =
        statement_run(session, STATEMENT_OLDEST_LEASE, 0, what, &statement, error);
    if (status == OUTBOX_OK)
        status = found_read(session, statement, what, error);
    if (whole)
        watermark_looked(watermark, now(session), statement_cost(session));
    if (status != OUTBOX_OK)
        return status;
    *any = session->found.count > 0;
    *oldest = *any ? session->found.list[0].position : pending;
    if (position_compare(*oldest, low) < 0)
        watermark_lower(watermark, *oldest);
    else
        watermark_raise(watermark, *oldest, ticket);
    return OUTBOX_OK;
}

static void push_expiry(struct outbox_session *session, const struct outbox_reap_request *request)
{
    int64_t lease = at_least_zero(request->lease);
    parameter_integer(session, lease);
    parameter_text(session, request->owner_prefix);
    parameter_text(session, request->owner_prefix);
    parameter_integer(session, request->foreign_lease > lease ? request->foreign_lease : lease);
}

static int64_t allowed(const struct outbox_reap_request *request)
{
    return request->max_attempts > 0 ? request->max_attempts : INT32_MAX;
}

static enum outbox_status find_expired(struct outbox_session *session, struct position from,
                                       const struct outbox_reap_request *request,
                                       struct outbox_error *error)
{
    static const char what[] = "look for expired leases in";
    MYSQL_STMT *statement;
    uint64_t most = request->max_events < CLAIM_MAX ? request->max_events : CLAIM_MAX;
    parameters_start(session);
    push_from(session, from);
    push_expiry(session, request);
    parameter_integer(session, (int64_t)most);
    enum outbox_status status =
        statement_run(session, STATEMENT_EXPIRED, 0, what, &statement, error);
    return status == OUTBOX_OK ? found_read(session, statement, what, error) : status;
}

/* Those found that have, or have not yet, used up their attempts. */
static void take_expired(struct outbox_session *session, int64_t max_attempts, bool dead)
{
    keys_reset(&session->keys);
    for (size_t i = 0; i < session->found.count; i++)
        if ((session->found.list[i].attempts >= max_attempts - 1) == dead)
            keys_add(&session->keys, session->found.list[i].key);
    keys_sort(&session->keys);
}

static enum outbox_status end_leases(struct outbox_session *session,
                                     const struct outbox_reap_request *request, bool dead,
                                     uint64_t *ended, struct outbox_error *error)
{
    MYSQL_STMT *statement;
    *ended = 0;
    take_expired(session, allowed(request), dead);
    if (session->keys.count == 0)
        return OUTBOX_OK;
    parameters_start(session);
    if (!dead && table_has(&session->table, ROLE_AVAILABLE_AT)) {
        parameter_integer(session, at_least_zero(request->base_delay));
        parameter_integer(session, at_least_zero(request->max_delay));
    }
    unsigned size = keys_push(session, &session->keys);
    push_expiry(session, request);
    parameter_integer(session, allowed(request));
    enum outbox_status status =
        statement_run(session, dead ? STATEMENT_REAP_DEAD : STATEMENT_REAP_RETURNED, size,
                      "end expired leases on", &statement, error);
    if (status == OUTBOX_OK)
        *ended = mysql_stmt_affected_rows(statement);
    return status;
}

static enum outbox_status reap_once(struct outbox_session *session,
                                    const struct outbox_reap_request *request,
                                    struct outbox_reap_result *result, struct outbox_error *error)
{
    struct position oldest;
    bool any = false;
    uint64_t dead = 0, returned = 0;
    enum outbox_status status = find_oldest(session, &oldest, &any, error);
    if (status == OUTBOX_OK && any)
        status = find_expired(session, oldest, request, error);
    if (status == OUTBOX_OK && any)
        status = end_leases(session, request, true, &dead, error);
    if (status == OUTBOX_OK && any)
        status = end_leases(session, request, false, &returned, error);
    if (status == OUTBOX_OK)
        status = commit(session, "end expired leases on", error);
    if (status != OUTBOX_OK)
        return give_up(session, status);
    result->dead = dead;
    result->returned = returned;
    return OUTBOX_OK;
}

enum outbox_status lease_reap(struct outbox_session *session,
                              const struct outbox_reap_request *request,
                              struct outbox_reap_result *result, struct outbox_error *error)
{
    result->returned = result->dead = 0;
    enum outbox_status status = rollback(session, error);
    if (status == OUTBOX_OK)
        status = table_ensure(session, error);
    if (status != OUTBOX_OK)
        return status;
    if (!session->table.state[STATE_DELIVERING][0] || !table_has(&session->table, ROLE_LOCKED_AT) ||
        !table_has(&session->table, ROLE_LOCKED_BY))
        return OUTBOX_OK; /* nothing can be leased in such a table */
    unsigned tries = 0;
    do
        status = reap_once(session, request, result, error);
    while (status != OUTBOX_OK && try_again(session, tries++));
    return status;
}
