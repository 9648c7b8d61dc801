/*
 * pulse.c - round trips to the server beside the messages
 * SPDX-License-Identifier: MIT
 */
#include "pulse.h"

#include "library.h"
#include "turn.h"

#define INTERVAL SECOND
/* Nothing at all has come for so long, though a round trip was asked for. */
#define SILENCE (4 * SECOND)

/* Whether there is something that only a round trip confirms; with the lock held. */
static bool is_awaited(struct courier *courier)
{
    return !courier->settings->jetstream && atomic_load(&courier->last_sent) > courier->proved;
}

/* Waits until it is time for the next round trip. Returns the link, held, or NULL at the end. */
static struct link *wait_for_turn(struct courier *courier, int64_t began)
{
    struct link *link = NULL;
    (void)pthread_mutex_lock(&courier->lock);
    while (!courier->is_stopping && !link) {
        int64_t left = began + INTERVAL - courier->host->now(courier->host);
        if (courier->link && (left <= 0 || is_awaited(courier)))
            link = link_hold(courier->link);
        else
            condition_wait(&courier->changed, &courier->lock, left > 0 ? left : INTERVAL);
    }
    (void)pthread_mutex_unlock(&courier->lock);
    return link;
}

static void prove(struct courier *courier, const struct link *link, uint64_t serial, int64_t began)
{
    (void)pthread_mutex_lock(&courier->lock);
    bool is_same = courier->link == link;
    if (is_same) {
        courier->proved = serial;
        courier->proved_since = began;
    }
    (void)pthread_mutex_unlock(&courier->lock);
    if (is_same && !courier->settings->jetstream)
        courier_wake(courier);
}

void *pulse_work(void *argument)
{
    struct courier *courier = argument;
    const struct outbox_host *host = courier->host;
    int64_t began = host->now(host);
    struct link *link;
    library_block_signals();
    while ((link = wait_for_turn(courier, began)) != NULL) {
        uint64_t serial = atomic_load(&courier->last_sent);
        began = host->now(host);
        if (link_round_trip(link, INTERVAL) == NATS_OK) {
            prove(courier, link, serial, began);
        } else if (host->now(host) - atomic_load(&courier->heard_at) > SILENCE &&
                   !natsConnection_IsClosed(link->connection)) {
            outbox_log(host, OUTBOX_LOG_WARN, "%s has been silent for %d s", link->place,
                       (int)(SILENCE / SECOND));
            link_cut(link);
        }
        link_release(link);
    }
    return NULL;
}

void pulse_quicken(struct courier *courier)
{
    if (courier->settings->jetstream)
        return;
    (void)pthread_mutex_lock(&courier->lock);
    if (is_awaited(courier))
        (void)pthread_cond_broadcast(&courier->changed);
    (void)pthread_mutex_unlock(&courier->lock);
}
