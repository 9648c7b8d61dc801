/*
 * probe.c - whether messages could be sent now
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include "library.h"

static enum outbox_status ping_link(struct link *link, const struct outbox_host *host,
                                    int64_t deadline, struct outbox_error *error)
{
    char text[300];
    int64_t left = deadline - host->now(host);
    natsStatus status = link_round_trip(link, left > 0 ? left : 0);
    /* What was refused before the answer to the ping is known by now; the connection may be closed
     * for it already. */
    if (link_refusal(link, text, sizeof(text)) ||
        (link_was_denied(link, text, sizeof(text)) && strstr(text, "Subscription")))
        return link_refused(link, text, error);
    if (status == NATS_OK)
        return OUTBOX_OK;
    library_reason((int)status, text, sizeof(text));
    if (status == NATS_TIMEOUT)
        (void)snprintf(text, sizeof(text), "it has not answered in time");
    /* A connection that does not answer is no good: the next ping makes another one. */
    link_cut(link);
    return outbox_fail(error, OUTBOX_UNAVAILABLE, "", "ping %s: %s", link->place, text);
}

enum outbox_status nats_ping(struct outbox_publisher *publisher, int64_t deadline,
                             struct outbox_error *error)
{
    enum outbox_status status = OUTBOX_OK;
    for (unsigned i = 0; status == OUTBOX_OK && i < publisher->settings->connections; i++) {
        struct link *link = courier_link(&publisher->couriers[i], deadline, &status, error);
        if (!link)
            return status;
        status = ping_link(link, publisher->host, deadline, error);
        link_release(link);
    }
    return status;
}
