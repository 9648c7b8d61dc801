/*
 * receiver.h - what is known of the receiver that the configuration names
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_RECEIVER_H
#define PUBLISHER_WEBHOOK_RECEIVER_H

#include "settings.h"

#include <pthread.h>
#include <stdatomic.h>

#define SUSPECTS 64u

/* Any thread. */
struct receiver {
    const struct outbox_host *host;
    const struct settings *settings;
    _Atomic int64_t heard_at;     /* of the host's clock, 0: never */
    _Atomic int64_t wait_until;   /* what it has asked for, 0: nothing */
    _Atomic int64_t wait_seconds; /* how long that was, at first */
    _Atomic bool is_away;         /* it was logged as away */
    _Atomic bool has_denied;      /* it has refused the credentials, or that there are none */
    _Atomic uint64_t acked;

    /* Events whose connection was lost without an answer, and how often in a row while it
     * acknowledged others in between. */
    pthread_mutex_t lock;
    _Atomic uint64_t suspect_count;
    struct suspect {
        uint64_t hash, losses, acked_at;
    } suspects[SUSPECTS];
    uint64_t next_suspect;
};

bool receiver_init(struct receiver *receiver, const struct outbox_host *host,
                   const struct settings *settings) OUTBOX_MUST_USE;
void receiver_clear(struct receiver *receiver);

/* It has answered something. */
void receiver_heard(struct receiver *receiver);
/* It has acknowledged an event. */
void receiver_acked(struct receiver *receiver);
/* Logs that it is away, once. */
void receiver_lost(struct receiver *receiver, const char *reason);

/* It asks that nothing is sent for so many seconds. */
void receiver_ask_wait(struct receiver *receiver, int64_t seconds);
/* Whether that is not over yet, and in which words. These stay the same all the time, so that they
 * are logged once. */
bool receiver_is_waiting(const struct receiver *receiver, char *reason,
                         size_t size) OUTBOX_MUST_USE;

/* Counts that the connection was lost over this event. True if that has happened so often, while
 * others went well, that the event is to blame. */
bool receiver_suspect(struct receiver *receiver, struct outbox_slice id) OUTBOX_MUST_USE;
/* The event has had an answer. */
void receiver_trust(struct receiver *receiver, struct outbox_slice id);

#endif
