/*
 * link.c - one connection that messages go through: what is in flight on it, and whether it lives
 * SPDX-License-Identifier: MIT
 */
#include "link.h"

enum outbox_status link_open(struct link *link, struct remote *remote, unsigned node,
                             const struct patience *patience, struct outbox_error *error)
{
    enum outbox_status status =
        remote_connect(remote, node, patience, &link->wire, &link->greeting, error);
    if (status != OUTBOX_OK)
        return status;
    answer_read_into(link->wire.reader, &link->answer);
    link->heard_of = link->wire.out.written;
    link->next_deadline = LINK_NEVER;
    link->unwaited = 0;
    link->is_open = true;
    return OUTBOX_OK;
}

void link_close(struct link *link)
{
    if (!link->is_open)
        return;
    wire_close(&link->wire);
    flights_clear(&link->flights);
    link->is_open = false;
}

void link_sent(struct link *link, const struct outbox_batch *batch, uint32_t index,
               enum flight_kind kind, uint8_t redirects, int64_t now)
{
    if (flights_are_none(&link->flights))
        link->alive_at = now;
    flights_put(&link->flights, (struct flight){.batch = batch,
                                                .end = link->wire.out.added,
                                                .index = index,
                                                .kind = (uint8_t)kind,
                                                .redirects = redirects});
    if (kind == FLIGHT_MESSAGE) {
        link->unwaited++;
        if (batch->deadline < link->next_deadline)
            link->next_deadline = batch->deadline;
    }
}

int link_send(struct link *link, int64_t now)
{
    uint64_t before = link->wire.out.written;
    int number = wire_send(&link->wire);
    /* A large message takes its time. Otherwise bytes that the kernel has taken are no sign of
     * life: it takes them for a server that is gone, too. */
    if (link->wire.out.written > before && link->flights.unanswered != link->flights.tail &&
        flights_at(&link->flights, link->flights.unanswered)->end > before)
        link->alive_at = now;
    return number;
}

int link_receive(struct link *link, int64_t now)
{
    uint64_t got;
    int number = wire_receive(&link->wire, &got);
    if (got > 0) {
        link->alive_at = now;
        link->heard_of = link->wire.out.written;
    }
    return number;
}

int64_t link_patience_ends(const struct link *link, int64_t response_timeout)
{
    if (!link->is_open || flights_are_none(&link->flights))
        return LINK_NEVER;
    return link->alive_at + response_timeout;
}
