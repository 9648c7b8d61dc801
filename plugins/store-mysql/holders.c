/*
 * holders.c - who holds the events that are being delivered
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdlib.h>

static const char doing[] = "look who holds events of";

/* The columns of STATEMENT_HOLDERS. */
enum { TOKEN, EVENTS, HELD_FOR };

struct seeing {
    outbox_holder_seen *emit;
    void *context;
    uint64_t events;
    int tokens;
};

static void take_holder(void *context, const char *const values[ANSWER_COLUMNS])
{
    struct seeing *seeing = context;
    struct outbox_holder holder = {.size = sizeof(holder), .held_for = -1};
    if (++seeing->tokens > OUTBOX_HOLDERS_MAX)
        return;
    if (values[TOKEN])
        holder.token = outbox_slice_of(values[TOKEN]);
    holder.events = strtoull(values[EVENTS], NULL, 10);
    if (values[HELD_FOR]) {
        int64_t age = strtoll(values[HELD_FOR], NULL, 10);
        holder.held_for = age > 0 ? age : 0;
    }
    seeing->events += holder.events;
    seeing->emit(seeing->context, &holder);
}

static enum outbox_status cannot_tell(const struct outbox_session *session, const char *why,
                                      struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "%s %s: %s", doing,
                       session->store->names.table, why);
}

enum outbox_status holders_read(struct outbox_session *session, outbox_holder_seen *emit,
                                void *context, uint32_t *partial, struct outbox_error *error)
{
    struct seeing seeing = {.emit = emit, .context = context};
    if (!is_lease(session->store))
        return cannot_tell(session, "in mode hold the database knows no owner", error);
    enum outbox_status status = table_ensure(session, error);
    if (status != OUTBOX_OK)
        return give_up(session, status);
    if (!session->table.claim_index)
        return cannot_tell(session, "it has no index that finds leases", error);
    parameters_start(session);
    status = ask_statement(session, STATEMENT_HOLDERS, doing, take_holder, &seeing, error);
    if (status == OUTBOX_OK)
        status = commit(session, doing, error);
    if (status != OUTBOX_OK)
        return give_up(session, status);
    *partial = seeing.tokens > OUTBOX_HOLDERS_MAX || seeing.events > HOLDERS_CAP;
    return OUTBOX_OK;
}
