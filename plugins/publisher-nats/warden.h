/*
 * warden.h - cuts connections that hold a courier in a call of the library
 * SPDX-License-Identifier: MIT
 *
 * With TLS the library's calls wait for the socket: see link.c. A server that falls silent in the
 * middle of a record would hold them for ever, and with them the lock that a round trip needs.
 */
#ifndef PUBLISHER_NATS_WARDEN_H
#define PUBLISHER_NATS_WARDEN_H

#include "courier.h"

struct warden {
    struct courier *couriers;
    unsigned count;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_stopping;
};

bool warden_start(struct warden *warden, struct courier *couriers, unsigned count) OUTBOX_MUST_USE;
void warden_stop(struct warden *warden);

#endif
