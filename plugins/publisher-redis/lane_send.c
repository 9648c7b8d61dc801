/*
 * lane_send.c - makes commands of messages and puts them on the connections of a lane
 * SPDX-License-Identifier: MIT
 */
#include "lane.h"
#include "resp.h"

#include <stdlib.h>

/* A message, the ASKING before it and the WAIT behind it. */
#define MOST_FLIGHTS 3u

static struct link *existing(struct lane *lane, unsigned node)
{
    if (!lane->links[node])
        lane->links[node] = calloc(1, sizeof(struct link));
    if (lane->links[node] && node >= lane->link_count)
        lane->link_count = node + 1;
    return lane->links[node];
}

/* The connection to a node, opened if need be. NULL: the error says why. */
static struct link *link_to(struct lane *lane, unsigned node, struct outbox_error *error)
{
    struct link *link = existing(lane, node);
    const struct outbox_host *host = lane->remote->host;
    unsigned times = atomic_load(&lane->away->times);
    if (!link) {
        (void)outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "connect: out of memory");
        return NULL;
    }
    if (link->is_open && link->made_at != times && flights_are_none(&link->flights))
        link_close(link);
    if (link->is_open)
        return link;
    const struct patience patience = {
        host, host->now(host) + lane->remote->settings->connect_timeout, lane->end_bell};
    enum outbox_status status = link_open(link, lane->remote, node, &patience, error);
    if (status != OUTBOX_OK) {
        /* close() has ended the attempt: that says nothing of Redis. */
        if (!lane_is_ending(lane))
            away_begin(lane->away, status, error->native, error->text,
                       (struct outbox_slice){NULL, 0});
        return NULL;
    }
    link->made_at = times;
    outbox_log(host, OUTBOX_LOG_DEBUG, "connected to Redis at %s", link->greeting.name);
    return link;
}

static bool add_asking(struct link *link, int64_t now)
{
    static const char command[] = "*1\r\n" RESP_LITERAL("6", "ASKING");
    char *at = outgoing_room(&link->wire.out, sizeof(command), 0);
    if (!at)
        return false;
    outgoing_add(&link->wire.out, resp_raw(at, command, sizeof(command) - 1));
    link_sent(link, NULL, 0, FLIGHT_ASKING, 0, now);
    return true;
}

/* Whether the memory sufficed. */
static bool add_wait(struct link *link, const struct settings *settings, int64_t now)
{
    char replicas[24], timeout[24];
    (void)snprintf(replicas, sizeof(replicas), "%lld", (long long)settings->wait_replicas);
    (void)snprintf(timeout, sizeof(timeout), "%lld", (long long)settings->wait_timeout / 1000000);
    const struct outbox_slice command[] = {outbox_slice_of("WAIT"), outbox_slice_of(replicas),
                                           outbox_slice_of(timeout)};
    if (!flights_room(&link->flights, 1) || !wire_command(&link->wire, command, 3))
        return false;
    link_sent(link, NULL, 0, FLIGHT_WAIT, 0, now);
    link->unwaited = 0;
    return true;
}

static enum entry_made add(struct lane *lane, struct link *link, const struct queued *queued,
                           int64_t now, char *reason)
{
    const struct outbox_message *message = outbox_batch_at(queued->batch, queued->index);
    if (!flights_room(&link->flights, MOST_FLIGHTS))
        return ENTRY_NO_MEMORY;
    if (queued->ask_node != 0 && !add_asking(link, now))
        return ENTRY_NO_MEMORY;
    enum entry_made made =
        entry_add(&lane->writer, message, link->greeting.longest, &link->wire.out, reason);
    if (made == ENTRY_MADE)
        link_sent(link, queued->batch, queued->index, FLIGHT_MESSAGE, queued->redirects, now);
    return made;
}

/* Sends one message, or completes it. */
static void send_one(struct lane *lane, const struct queued *queued, int64_t now)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    char reason[ENTRY_REASON];
    const struct outbox_message *message = outbox_batch_at(queued->batch, queued->index);
    unsigned node =
        queued->ask_node ? queued->ask_node : remote_node_of(lane->remote, message->topic);
    struct link *link = lane->links[node];
    if (!link || !link->is_open || link->made_at != atomic_load(&lane->away->times))
        link = link_to(lane, node, &error);
    if (!link) {
        results_add(&lane->results, queued->batch, queued->index, OUTBOX_AWAY, error.text);
        return;
    }
    switch (add(lane, link, queued, now, reason)) {
    case ENTRY_MADE:
        break;
    case ENTRY_REJECTED:
        results_add(&lane->results, queued->batch, queued->index, OUTBOX_REJECTED, reason);
        break;
    case ENTRY_NO_MEMORY:
        results_add(&lane->results, queued->batch, queued->index, OUTBOX_AWAY,
                    "make a command of the event: out of memory");
        break;
    }
}

/* Sends what was put on a link. */
static void flush(struct lane *lane, struct link *link, int64_t now)
{
    const struct settings *settings = lane->remote->settings;
    if (settings->wait_replicas > 0 && link->unwaited > 0 && !add_wait(link, settings, now)) {
        lane_give_up(lane, link, "ENOMEM", "out of memory");
        return;
    }
    int number = link_send(link, now);
    /* What the server said before it closed the connection comes first. */
    if (number != 0)
        lane_receive(lane, link, now);
}

void lane_send(struct lane *lane, const struct queued *messages, uint64_t count, int64_t now)
{
    for (uint64_t i = 0; i < count; i++) {
        if (away_is(lane->away))
            lane_send_again(lane, messages[i]);
        else
            send_one(lane, &messages[i], now);
    }
    for (unsigned i = 0; i < lane->link_count; i++)
        if (lane->links[i] && lane->links[i]->is_open &&
            !outgoing_is_empty(&lane->links[i]->wire.out))
            flush(lane, lane->links[i], now);
}
