/*
 * link_send.c - which message goes out next, and how long one may take
 * SPDX-License-Identifier: MIT
 */
#include "link.h"

/* ---- The next message --------------------------------------------------------------------- */

static void finish_held(struct link *link, enum outbox_outcome outcome, const char *reason)
{
    report_add(&link->report, link->held.batch, link->held.index, outcome, reason);
    link->held.batch = NULL;
}

/* A message of a closed channel goes before new ones. `careful` counts those among them that go one
 * at a time, the held one included. */
static bool take_next(struct link *link)
{
    if (link->again_count == 0)
        return link_take(link, &link->held);
    link->held = link->again[link->again_at++];
    if (--link->again_count == 0)
        link->again_at = 0;
    return true;
}

static bool prepare_next(struct link *link)
{
    char reason[PARCEL_REASON_SIZE];
    while (!link->held.batch) {
        if (!take_next(link))
            return false;
        if (!parcel_prepare(&link->parcel, link->settings, item_message(link->held), reason))
            finish_held(link, OUTBOX_REJECTED, reason);
    }
    return true;
}

/* A full window is used again once a quarter of it is free: sending single messages as single
 * confirms come would cost a system call for each. */
static bool is_throttled(struct link *link)
{
    const struct flight *flight = &link->main.flight;
    uint64_t room = flight_room(flight);
    if (room == 0)
        link->is_throttled = true;
    else if (room >= (flight->capacity + 3) / 4)
        link->is_throttled = false;
    return link->is_throttled;
}

/* Sends the message that is held, or finds out that it cannot be sent. False: not now. */
static bool dispatch(struct link *link, int64_t now)
{
    char reason[PARCEL_REASON_SIZE];
    struct exchange *exchange = exchanges_find(&link->exchanges, link->parcel.exchange);
    if (exchange->state == EXCHANGE_BAD && now >= exchange->until)
        exchange->state = EXCHANGE_UNKNOWN;
    if (exchange->state == EXCHANGE_BAD) {
        finish_held(link, exchange->outcome, exchange->reason);
        return true;
    }
    bool is_alone = link->careful > 0 || exchange->state == EXCHANGE_UNKNOWN;
    struct channel *channel = is_alone ? &link->probe : &link->main;
    if (!channel->is_ready || flight_room(&channel->flight) == 0 ||
        (!is_alone && is_throttled(link)))
        return false;
    if (!parcel_send(&link->parcel, &link->wire, channel->number, reason)) {
        finish_held(link, OUTBOX_REJECTED, reason);
        return true;
    }
    flight_add(&channel->flight, link->held, now);
    link->held.batch = NULL;
    return true;
}

void link_fill(struct link *link, int64_t now)
{
    while (wire_has_room(&link->wire) && prepare_next(link)) {
        if (!dispatch(link, now))
            return;
        if (link->careful > 0)
            link->careful--;
    }
}

/* ---- Deadlines ---------------------------------------------------------------------------- */

static int64_t sooner(int64_t a, struct item item)
{
    return item.batch && item.batch->deadline < a ? item.batch->deadline : a;
}

static int64_t oldest_due(const struct flight *flight, int64_t due)
{
    const struct sent *oldest = flight_oldest(flight);
    return oldest ? sooner(due, oldest->item) : due;
}

/* Batches are published one after the other with the same time to live, so the oldest message is
 * the first to be due. */
int64_t link_due(struct link *link)
{
    int64_t due = oldest_due(&link->main.flight, oldest_due(&link->probe.flight, INT64_MAX));
    due = sooner(due, link->held);
    if (link->again_count > 0)
        due = sooner(due, link->again[link->again_at]);
    (void)pthread_mutex_lock(&link->mutex);
    if (link->first_order)
        due = sooner(due, (struct item){link->first_order->batch, 0});
    (void)pthread_mutex_unlock(&link->mutex);
    return due;
}

static bool is_due(struct item item, int64_t now)
{
    return item.batch && item.batch->deadline <= now;
}

/* What was sent and not confirmed in time. */
static void expire_flight(struct link *link, struct flight *flight, int64_t now)
{
    for (uint64_t tag = flight->first; tag < flight->next; tag++) {
        struct sent *sent = flight_at(flight, tag);
        if (!is_due(sent->item, now))
            continue;
        if (link->is_blocked)
            report_add(&link->report, sent->item.batch, sent->item.index, OUTBOX_AWAY,
                       link->block_reason);
        else
            report_add(&link->report, sent->item.batch, sent->item.index, OUTBOX_UNKNOWN,
                       "the broker has confirmed others, and not this message in time");
        sent->item.batch = NULL;
    }
}

static void expire_unsent(struct link *link, int64_t now)
{
    const char *reason = link->is_blocked ? link->block_reason
                                          : "the broker takes messages too slowly: this one waited "
                                            "its whole time to be sent";
    uint64_t kept = 0;
    if (is_due(link->held, now))
        finish_held(link, OUTBOX_AWAY, reason);
    for (uint64_t i = 0; i < link->again_count; i++) {
        struct item item = link->again[link->again_at + i];
        if (is_due(item, now))
            report_add(&link->report, item.batch, item.index, OUTBOX_AWAY, reason);
        else
            link->again[kept++] = item;
    }
    link->again_at = 0;
    link->again_count = kept;
    struct order *first;
    do {
        struct item item;
        (void)pthread_mutex_lock(&link->mutex);
        first = link->first_order;
        bool is_late = first && first->batch->deadline <= now;
        (void)pthread_mutex_unlock(&link->mutex);
        /* Others may only have cancelled it meanwhile, and then the next one is taken as late, too.
         */
        if (!is_late || !link_take(link, &item))
            break;
        report_add(&link->report, item.batch, item.index, OUTBOX_AWAY, reason);
    } while (first);
}

/* Whether a message that is due was sent when the broker had confirmed its last. */
static bool is_stuck(const struct link *link, const struct flight *flight, int64_t now)
{
    const struct sent *oldest = flight_oldest(flight);
    return oldest && is_due(oldest->item, now) && oldest->at > link->confirmed_at;
}

bool link_expire(struct link *link, int64_t now)
{
    if (now < link_due(link))
        return true;
    bool is_stuck_now = !link->is_blocked && (is_stuck(link, &link->main.flight, now) ||
                                              is_stuck(link, &link->probe.flight, now));
    if (is_stuck_now) {
        (void)snprintf(link->end_reason, sizeof(link->end_reason), "%s confirms nothing any more",
                       link->where);
        return false;
    }
    /* The messages go, and some of them may not be with the system yet. */
    if (!wire_detach(&link->wire)) {
        (void)snprintf(link->end_reason, sizeof(link->end_reason),
                       "%s did not take a message as a whole in time", link->where);
        return false;
    }
    expire_flight(link, &link->main.flight, now);
    expire_flight(link, &link->probe.flight, now);
    expire_unsent(link, now);
    return true;
}
