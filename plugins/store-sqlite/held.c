/*
 * held.c - failed events that are held back in memory, where the table cannot put them off
 * SPDX-License-Identifier: MIT
 */
#include "held.h"

#include "rows.h"

static int64_t now(const struct outbox_session *session)
{
    return session->store->host->now(session->store->host);
}

/* What memory knows a row by. */
static struct outbox_slice id_of(const struct claimed_row *row)
{
    if (row->key_type == SQLITE_INTEGER)
        return (struct outbox_slice){(const char *)&row->number, sizeof(row->number)};
    return row->bytes;
}

/* ---- Claiming ----------------------------------------------------------------------------- */

/* Said once, until there is room again. */
static void tell_full(struct outbox_store *store, size_t room)
{
    bool was_full = atomic_exchange(&store->is_full, room == 0);
    if (room == 0 && !was_full)
        outbox_log(store->host, OUTBOX_LOG_ERROR,
                   "table %s: %d failed events are held back in memory, which is as many as there "
                   "may be; nothing more is claimed until one of them is due",
                   store->columns.table, HELD_BACK_MAX);
}

uint64_t held_room(struct outbox_session *session)
{
    struct outbox_store *store = session->store;
    if (!session->shape.holds_back)
        return UINT64_MAX;
    size_t count = holdback_list(&store->holdback, now(session), NULL, NULL);
    size_t room = holdback_room(&store->holdback, count);
    tell_full(store, room);
    return room;
}

bool held_back(const struct outbox_session *session, const struct claimed_row *row)
{
    return session->shape.holds_back &&
           holdback_holds(&session->store->holdback, id_of(row), now(session));
}

int64_t held_attempts(const struct outbox_session *session, const struct claimed_row *row)
{
    return holdback_attempts(&session->store->holdback, id_of(row));
}

/* ---- Settling ----------------------------------------------------------------------------- */

static void tell_buried(const struct outbox_store *store, const struct outbox_event *event,
                        const struct outbox_settlement *settlement)
{
    struct outbox_slice reason = settlement->error;
    outbox_log(store->host, OUTBOX_LOG_ERROR,
               "event %.*s of table %s is dead, and the table has no place for that: it stays, and "
               "is tried again after %lld s: %.*s",
               (int)(event->id.len < 100 ? event->id.len : 100), event->id.data,
               store->columns.table, (long long)(settlement_delay(settlement) / 1000000),
               (int)(reason.len < 200 ? reason.len : 200), reason.data ? reason.data : "");
    store->host->count(store->host, "dead_without_place", 1);
}

static void put_back(const struct outbox_session *session, const struct claim *claim,
                     const struct outbox_settlement *settlement)
{
    struct outbox_store *store = session->store;
    int64_t charge = settlement->verdict == OUTBOX_SETTLE_RETRY || settlement->charge ? 1 : 0;
    int64_t delay = settlement_delay(settlement), most = (INT64_MAX - now(session)) / 1000;
    int64_t until = now(session) + 1000 * (delay < most ? delay : most);
    if (!holdback_put(&store->holdback, id_of(&claim->rows[settlement->index]), until,
                      claim->events[settlement->index].attempts + charge))
        outbox_log(store->host, OUTBOX_LOG_WARN,
                   "table %s: no memory to hold back a failed event, it is tried again at once",
                   store->columns.table);
}

void held_settled(const struct outbox_session *session, const struct outbox_settle_request *settle)
{
    const struct claim *claim = (const struct claim *)settle->claim;
    bool buries = shape_buries(&session->shape);
    for (uint64_t i = 0; i < settle->count; i++) {
        const struct outbox_settlement *settlement = outbox_settlement_at(settle, i);
        uint32_t verdict = settlement_verdict(settlement, buries);
        if (settlement->verdict == OUTBOX_SETTLE_DEAD && !buries)
            tell_buried(session->store, &claim->events[settlement->index], settlement);
        if (!session->shape.holds_back)
            continue;
        if (verdict == OUTBOX_SETTLE_RETRY)
            put_back(session, claim, settlement);
        else if (verdict != OUTBOX_SETTLE_RELEASE)
            holdback_forget(&session->store->holdback, id_of(&claim->rows[settlement->index]));
    }
}

void held_recount(const struct outbox_session *session, struct outbox_store_stats *stats)
{
    holdback_recount(&session->store->holdback, now(session), stats);
}
