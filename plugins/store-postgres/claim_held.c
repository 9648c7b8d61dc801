/*
 * claim_held.c - what is held back in memory: claims leave it out, settling puts it there
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

/* Where the relay says nothing, of a version that gives a dead event no delay. Microseconds. */
#define BURIED_DELAY INT64_C(3600000000)

static int64_t now(const struct outbox_store *store)
{
    return store->host->now(store->host);
}

static struct outbox_slice key_of(const struct outbox_session *session, const struct claim *claim,
                                  size_t index)
{
    int row = claim->placed[index].row, column = session->table.field[FIELD_ID];
    return (struct outbox_slice){PQgetvalue(claim->result, row, column),
                                 (uint64_t)PQgetlength(claim->result, row, column)};
}

/* ---- Claiming ----------------------------------------------------------------------------- */

static void add_id(void *context, struct outbox_slice id)
{
    array_add_slice(context, id);
}

/* Said once, until there is room again. */
static void tell_full(struct outbox_store *store, size_t room)
{
    bool was_full = atomic_exchange(&store->is_full, room == 0);
    if (room == 0 && !was_full)
        outbox_log(store->host, OUTBOX_LOG_ERROR,
                   "table %s: %d failed events are held back in memory, which is as many as there "
                   "may be; nothing more is claimed until one of them is due",
                   store->names.table, HELD_BACK_MAX);
}

int64_t held_prepare(struct outbox_session *session, int64_t limit)
{
    struct outbox_store *store = session->store;
    struct buffer *ids = &session->scratch[SCRATCH_HELD];
    Oid type = session->table.type[ROLE_EVENT_ID];
    array_begin(ids, type == TYPE_UUID || type == TYPE_BYTEA ? (enum type_oid)type : TYPE_TEXT);
    size_t count = holdback_list(&store->holdback, now(store), add_id, ids);
    array_end(ids, count);
    if (ids->failed)
        session->exchange.refused = OUTBOX_INTERNAL;
    size_t room = holdback_room(&store->holdback, count);
    tell_full(store, room);
    return limit < (int64_t)room ? limit : (int64_t)room;
}

/* An event may have failed in another session after this claim was sent. Its row stays locked with
 * the others, and is let go with them. */
size_t held_filter(const struct outbox_session *session, struct claim *claim, size_t count)
{
    struct outbox_store *store = session->store;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (holdback_holds(&store->holdback, key_of(session, claim, i), now(store)))
            continue;
        claim->placed[kept++] = claim->placed[i];
    }
    return kept;
}

int64_t held_attempts(const struct outbox_session *session, const struct claim *claim, size_t index)
{
    return holdback_attempts(&session->store->holdback, key_of(session, claim, index));
}

/* ---- Settling ----------------------------------------------------------------------------- */

static void tell_buried(const struct outbox_store *store, const struct outbox_event *event,
                        const struct outbox_settlement *settlement)
{
    struct outbox_slice reason = settlement->error;
    outbox_log(store->host, OUTBOX_LOG_ERROR,
               "event %.*s of table %s is dead, and the table has no place for that: it stays, and "
               "is tried again after %lld s: %.*s",
               (int)(event->id.len < 100 ? event->id.len : 100), event->id.data, store->names.table,
               (long long)(settlement->delay / 1000000), (int)(reason.len < 200 ? reason.len : 200),
               reason.data ? reason.data : "");
    store->host->count(store->host, "dead_without_place", 1);
}

static bool buries(const struct outbox_session *session)
{
    return session->table.has[ROLE_STATUS] && states_have(&session->store->states, STATE_DEAD);
}

struct outbox_settlement held_instead(const struct outbox_session *session,
                                      const struct claim *claim,
                                      const struct outbox_settlement *settlement)
{
    struct outbox_settlement instead = *settlement;
    if (settlement->verdict != OUTBOX_SETTLE_DEAD || buries(session))
        return instead;
    instead.verdict = OUTBOX_SETTLE_RETRY;
    if (instead.delay <= 0)
        instead.delay = BURIED_DELAY;
    tell_buried(session->store, &claim->events[settlement->index], &instead);
    return instead;
}

void held_put(const struct outbox_session *session, const struct claim *claim,
              const struct outbox_settlement *settlement, int charge)
{
    struct outbox_store *store = session->store;
    size_t index = (size_t)settlement->index;
    if (!session->table.holds_back || settlement->verdict != OUTBOX_SETTLE_RETRY)
        return;
    int64_t delay = settlement->delay > 0 ? settlement->delay : 0;
    int64_t most = (INT64_MAX - now(store)) / 1000;
    int64_t until = now(store) + 1000 * (delay < most ? delay : most);
    if (!holdback_put(&store->holdback, key_of(session, claim, index), until,
                      claim->events[index].attempts + charge))
        outbox_log(store->host, OUTBOX_LOG_WARN,
                   "table %s: no memory to hold back a failed event, it is tried again at once",
                   store->names.table);
}

void held_settled(const struct outbox_session *session, const struct outbox_settle_request *settle,
                  const struct claim *claim)
{
    if (!session->table.holds_back)
        return;
    for (uint64_t i = 0; i < settle->count; i++) {
        const struct outbox_settlement *settlement = outbox_settlement_at(settle, i);
        bool done = settlement->verdict == OUTBOX_SETTLE_DELIVERED ||
                    (settlement->verdict == OUTBOX_SETTLE_DEAD && buries(session));
        if (done)
            holdback_forget(&session->store->holdback,
                            key_of(session, claim, (size_t)settlement->index));
    }
}

void held_recount(const struct outbox_session *session, struct outbox_store_stats *stats)
{
    holdback_recount(&session->store->holdback, now(session->store), stats);
}
