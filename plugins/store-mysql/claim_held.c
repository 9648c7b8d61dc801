/*
 * claim_held.c - what is held back in memory: claims leave it out, settling puts it there
 * SPDX-License-Identifier: MIT
 */
#include "claim.h"

/* Where the relay says nothing, of a version that gives a dead event no delay. Microseconds. */
#define BURIED_DELAY INT64_C(3600000000)

static bool is_numbered(const struct table *table)
{
    enum kind kind = table->columns[table->key].kind;
    return kind == KIND_INTEGER || kind == KIND_UNSIGNED;
}

/* What memory knows a row by. */
static struct outbox_slice slice_of(const struct outbox_session *session, const struct key *key)
{
    if (is_numbered(&session->table))
        return (struct outbox_slice){(const char *)&key->number, sizeof(key->number)};
    return key->bytes;
}

static bool key_of(struct outbox_session *session, struct outbox_slice slice, struct key *key)
{
    *key = (struct key){.number = 0};
    if (is_numbered(&session->table)) {
        memcpy(&key->number, slice.data, sizeof(key->number));
        return true;
    }
    char *bytes = arena_take(&session->held_memory, (size_t)slice.len);
    if (!bytes)
        return false;
    memcpy(bytes, slice.data, (size_t)slice.len);
    key->bytes = (struct outbox_slice){bytes, slice.len};
    return true;
}

/* ---- Claiming ----------------------------------------------------------------------------- */

struct listing {
    struct outbox_session *session;
    struct position from, to;
};

static void add_held(void *context, struct outbox_slice slice)
{
    struct listing *listing = context;
    struct outbox_session *session = listing->session;
    struct position position;
    struct key key;
    if (!key_of(session, slice, &key)) {
        session->held_keys.failed = true;
        return;
    }
    if (position_of_key(&session->table, &key, &position) &&
        (position_compare(position, listing->from) < 0 ||
         position_compare(position, listing->to) > 0))
        return;
    keys_add(&session->held_keys, key);
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

size_t held_list(struct outbox_session *session, struct position from, struct position to)
{
    struct outbox_store *store = session->store;
    struct listing listing = {session, from, to};
    keys_reset(&session->held_keys);
    arena_empty(&session->held_memory);
    if (!session->table.holds_back)
        return CLAIM_MAX;
    size_t count = holdback_list(&store->holdback, now(session), add_held, &listing);
    size_t room = holdback_room(&store->holdback, count);
    tell_full(store, room);
    return room;
}

unsigned held_push(struct outbox_session *session)
{
    const struct keys *held = &session->held_keys;
    session->parameters.failed |= held->failed;
    if (held->count == 0)
        return 0;
    unsigned size = size_for(held->count < 2 ? 2 : held->count);
    for (size_t i = 0; i < size_count(size); i++)
        push_key(session, &held->list[i < held->count ? i : held->count - 1]);
    return size;
}

/* An event may have failed in another session after this claim was sent. Its row stays locked with
 * the others, and is let go with them. */
void held_filter(struct outbox_session *session, struct claim *claim)
{
    struct holdback *holdback = &session->store->holdback;
    bool counts = !table_has(&session->table, ROLE_ATTEMPTS);
    uint64_t kept = 0;
    if (!session->table.holds_back)
        return;
    for (uint64_t i = 0; i < claim->public.count; i++) {
        struct outbox_slice id = slice_of(session, &claim->placed[i].key);
        if (holdback_holds(holdback, id, now(session)))
            continue;
        if (counts)
            claim->events[i].attempts = holdback_attempts(holdback, id);
        claim->events[kept] = claim->events[i];
        claim->placed[kept++] = claim->placed[i];
    }
    claim->public.count = kept;
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

struct outbox_settlement held_instead(const struct outbox_session *session,
                                      const struct claim *claim,
                                      const struct outbox_settlement *settlement)
{
    struct outbox_settlement instead = *settlement;
    if (settlement->verdict != OUTBOX_SETTLE_DEAD || shape_buries(session->store))
        return instead;
    instead.verdict = OUTBOX_SETTLE_RETRY;
    if (instead.delay <= 0)
        instead.delay = BURIED_DELAY;
    tell_buried(session->store, &claim->events[settlement->index], &instead);
    return instead;
}

void held_put(const struct outbox_session *session, const struct claim *claim,
              const struct outbox_settlement *settlement, bool charged)
{
    struct outbox_store *store = session->store;
    size_t index = (size_t)settlement->index;
    if (!session->table.holds_back || settlement->verdict != OUTBOX_SETTLE_RETRY)
        return;
    int64_t delay = settlement->delay > 0 ? settlement->delay : 0;
    int64_t most = (INT64_MAX - now(session)) / 1000;
    int64_t until = now(session) + 1000 * (delay < most ? delay : most);
    if (!holdback_put(&store->holdback, slice_of(session, &claim->placed[index].key), until,
                      claim->events[index].attempts + charged))
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
                    (settlement->verdict == OUTBOX_SETTLE_DEAD && shape_buries(session->store));
        if (done)
            holdback_forget(&session->store->holdback,
                            slice_of(session, &claim->placed[settlement->index].key));
    }
}

void held_recount(const struct outbox_session *session, struct outbox_store_stats *stats)
{
    holdback_recount(&session->store->holdback, now(session), stats);
}
