/*
 * holders.c - who holds the events that are being delivered
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

static const char doing[] = "look who holds events of";

/* The columns of STATEMENT_HOLDERS. */
enum { TOKEN, EVENTS, HELD_FOR };

static enum outbox_status cannot_tell(const struct outbox_session *session, const char *why,
                                      struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "%s %s: %s", doing,
                       session->store->names.table, why);
}

static struct outbox_holder read_holder(const PGresult *result, int row)
{
    struct outbox_holder holder = {.size = sizeof(holder), .held_for = -1};
    if (!PQgetisnull(result, row, TOKEN)) {
        holder.token.data = PQgetvalue(result, row, TOKEN);
        holder.token.len = (uint64_t)PQgetlength(result, row, TOKEN);
    }
    holder.events = (uint64_t)get_int64(PQgetvalue(result, row, EVENTS));
    if (!PQgetisnull(result, row, HELD_FOR)) {
        int64_t age = get_int64(PQgetvalue(result, row, HELD_FOR));
        holder.held_for = age > 0 ? age : 0;
    }
    return holder;
}

enum outbox_status holders_read(struct outbox_session *session, outbox_holder_seen *emit,
                                void *context, uint32_t *partial, struct outbox_error *error)
{
    if (session->store->settings.mode != OUTBOX_MODE_LEASE)
        return cannot_tell(session, "in mode hold the database knows no owner", error);
    enum outbox_status status = table_ensure(session, error);
    if (status != OUTBOX_OK)
        return status;
    if (!session->table.lease_index)
        return cannot_tell(session, "it has no index that finds leases", error);
    exchange_start(session);
    size_t place = exchange_statement(session, STATEMENT_HOLDERS, NULL, 0);
    status = exchange_run(session, doing, error);
    if (status != OUTBOX_OK)
        return status;
    const PGresult *result = exchange_result(session, place);
    int count = PQntuples(result);
    uint64_t events = 0;
    for (int row = 0; row < count && row < OUTBOX_HOLDERS_MAX; row++) {
        struct outbox_holder holder = read_holder(result, row);
        events += holder.events;
        emit(context, &holder);
    }
    *partial = count > OUTBOX_HOLDERS_MAX || events > HOLDERS_CAP;
    return OUTBOX_OK;
}
