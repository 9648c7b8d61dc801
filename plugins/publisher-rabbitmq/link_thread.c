/*
 * link_thread.c - the thread of a link: connects, sends, listens, keeps the connection alive
 * SPDX-License-Identifier: MIT
 */
#include "link.h"
#include "login.h"

#include <signal.h>

#define SECOND INT64_C(1000000000)
#define FOREVER INT64_MAX
#define GOODBYE SECOND

void *link_main(void *context);

/* ---- The end of a connection -------------------------------------------------------------- */

static void give_up_flight(struct link *link, struct flight *flight, enum outbox_outcome outcome,
                           const char *reason)
{
    for (uint64_t tag = flight->first; tag < flight->next; tag++) {
        struct item item = flight_at(flight, tag)->item;
        if (item.batch)
            report_add(&link->report, item.batch, item.index, outcome, reason);
    }
    flight_reset(flight);
}

void link_give_up(struct link *link, enum outbox_outcome outcome, const char *reason)
{
    wire_stop(&link->wire); /* before the messages that it may point to */
    give_up_flight(link, &link->main.flight, outcome, reason);
    give_up_flight(link, &link->probe.flight, outcome, reason);
    for (uint64_t i = 0; i < link->again_count; i++) {
        struct item item = link->again[link->again_at + i];
        report_add(&link->report, item.batch, item.index, outcome, reason);
    }
    if (link->held.batch)
        report_add(&link->report, link->held.batch, link->held.index, outcome, reason);
    report_flush(&link->report);
    link_give_up_queue(link, outcome, reason);
    inquiry_fail(link, OUTBOX_UNAVAILABLE, reason);
    exchanges_doubt(&link->exchanges);
    link->held.batch = NULL;
    link->again_at = link->again_count = link->careful = 0;
    link->main.is_ready = link->probe.is_ready = false;
    link->main.is_returning = link->probe.is_returning = false;
    link->inquiry.stage = STAGE_CLOSED;
    link->is_blocked = link->is_ended = link->is_throttled = false;
}

static void lose(struct link *link)
{
    outbox_log(link->host, OUTBOX_LOG_WARN, "lost the connection to %.200s: %.200s", link->where,
               link->end_reason);
    link->host->count(link->host, "connections_lost", 1);
    link->was_lost = true;
    link_give_up(link, OUTBOX_AWAY, link->end_reason);
}

static void end_for_transport(struct link *link)
{
    /* The broker's own words, if it has said any, tell more. */
    if (!link->is_ended)
        (void)snprintf(link->end_reason, sizeof(link->end_reason), "%s",
                       link->wire.transport.failure.text);
    link->is_ended = true;
}

/* ---- Connecting --------------------------------------------------------------------------- */

static struct patience patience_until(const struct link *link, int64_t deadline)
{
    return (struct patience){link->host, deadline, link->wake_fd, &link->is_stopping};
}

static void begin(struct link *link)
{
    const struct place *place = &link->settings->address.places[link->place];
    (void)snprintf(link->where, sizeof(link->where), "%s:%s", place->host, place->port);
    link->confirmed_at = link->wire.heard;
    link_open_channel(link, &link->main);
    link_open_channel(link, &link->probe);
    if (link->was_lost)
        outbox_log(link->host, OUTBOX_LOG_INFO, "connected to %s again", link->where);
    link->was_lost = false;
}

/* Tries each host once, beginning with the one that worked last. */
static void connect_somewhere(struct link *link)
{
    const struct address *address = &link->settings->address;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    enum outbox_status status = OUTBOX_UNAVAILABLE;
    for (uint64_t i = 0; i < address->place_count && !atomic_load(&link->is_stopping); i++) {
        struct login login = {link->settings, &address->places[link->place], ""};
        struct patience patience =
            patience_until(link, link->host->now(link->host) + link->settings->connect_timeout);
        status = login_run(&login, &link->wire, &patience, &error);
        if (status == OUTBOX_OK) {
            memcpy(link->version, login.version, sizeof(link->version));
            begin(link);
            return;
        }
        link->place = (link->place + 1) % address->place_count;
    }
    /* First who asks, with the class of the failure. */
    inquiry_fail(link, status, error.text);
    link_give_up(link, OUTBOX_AWAY, error.text);
}

static bool has_orders(struct link *link)
{
    (void)pthread_mutex_lock(&link->mutex);
    bool has_orders = link->first_order != NULL;
    (void)pthread_mutex_unlock(&link->mutex);
    return has_orders;
}

static bool has_work(struct link *link)
{
    return has_orders(link) || inquiry_is_wanted(link);
}

static void wait_for_work(struct link *link)
{
    struct patience patience = patience_until(link, FOREVER);
    while (!has_work(link)) {
        if (!transport_wait(&link->wire.transport, false, &patience))
            return;
    }
}

/* ---- Being connected ---------------------------------------------------------------------- */

/* RabbitMQ sends a heartbeat each half of the time agreed on; two whole ones without a byte are
 * silence. */
static int64_t silent_at(const struct link *link)
{
    return link->wire.heard + 2 * (int64_t)link->settings->heartbeat * SECOND;
}

static int64_t beat_at(const struct link *link)
{
    if (wire_is_sending(&link->wire))
        return FOREVER;
    return link->wire.spoke + (int64_t)link->settings->heartbeat * SECOND / 2;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void flush(struct link *link, int64_t now)
{
    if (wire_send(&link->wire, now) == TRANSPORT_LOST)
        end_for_transport(link);
}

static void listen_once(struct link *link)
{
    enum transport_result result;
    do {
        result = wire_receive(&link->wire, link->host, link_take_frame, link, &link->is_ended);
    } while (result == TRANSPORT_DONE && !link->is_ended && wire_has_received(&link->wire));
    if (result == TRANSPORT_LOST)
        end_for_transport(link);
    report_flush(&link->report);
}

static void keep_alive(struct link *link, int64_t now)
{
    if (now >= silent_at(link)) {
        (void)snprintf(link->end_reason, sizeof(link->end_reason),
                       "%s was silent for %u s, no heartbeat either", link->where,
                       2 * link->settings->heartbeat);
        link->is_ended = true;
    } else if (now >= beat_at(link)) {
        wire_heartbeat(&link->wire);
    }
}

/* Whether messages were left only because the wire had no room, which it has again. */
static bool is_behind(struct link *link)
{
    return !wire_is_sending(&link->wire) && !link->held.batch && !link->is_blocked &&
           (link->again_count > 0 || has_orders(link));
}

static void work(struct link *link)
{
    const struct outbox_host *host = link->host;
    int64_t now = host->now(host);
    if (link->is_blocked) {
        link_give_up_queue(link, OUTBOX_AWAY, link->block_reason);
        inquiry_fail(link, OUTBOX_UNAVAILABLE, link->block_reason);
    } else {
        inquiry_run(link);
        link_fill(link, now);
    }
    if (!link_expire(link, now))
        link->is_ended = true;
    report_flush(&link->report);
    keep_alive(link, now);
    if (!link->is_ended)
        flush(link, now);
    if (!link->is_ended && !is_behind(link)) {
        struct patience patience =
            patience_until(link, sooner(link_due(link), sooner(silent_at(link), beat_at(link))));
        if (!transport_wait(&link->wire.transport, wire_is_sending(&link->wire), &patience) &&
            atomic_load(&link->is_stopping))
            return;
    }
    if (!link->is_ended)
        listen_once(link);
    if (link->is_ended)
        lose(link);
}

/* Closes the connection in order if the broker answers soon; what it confirms on the way counts. */
static void say_goodbye(struct link *link)
{
    amqp_connection_close_t close = {.reply_code = AMQP_REPLY_SUCCESS};
    const atomic_bool never = false;
    const struct patience patience = {link->host, link->host->now(link->host) + GOODBYE,
                                      link->wake_fd, &never};
    wire_method(&link->wire, 0, AMQP_CONNECTION_CLOSE_METHOD, &close);
    while (!link->is_ended) {
        flush(link, link->host->now(link->host));
        if (link->is_ended ||
            !transport_wait(&link->wire.transport, wire_is_sending(&link->wire), &patience))
            break;
        listen_once(link);
    }
}

void *link_main(void *context)
{
    struct link *link = context;
    sigset_t pipe;
    /* TLS writes by write(2). */
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    while (!atomic_load(&link->is_stopping)) {
        if (wire_is_open(&link->wire))
            work(link);
        else if (has_work(link))
            connect_somewhere(link);
        else
            wait_for_work(link);
    }
    if (wire_is_open(&link->wire))
        say_goodbye(link);
    link_give_up(link, OUTBOX_UNKNOWN, "the relay ended before the broker had answered");
    return NULL;
}
