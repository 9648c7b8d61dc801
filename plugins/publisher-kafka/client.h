/*
 * client.h - the client of the library that sends, and how another one takes its place
 * SPDX-License-Identifier: MIT
 *
 * A client that has met a fatal error sends nothing any more, and some of a client's settings
 * cannot be changed. Both end it, and another one goes on.
 */
#ifndef PUBLISHER_KAFKA_CLIENT_H
#define PUBLISHER_KAFKA_CLIENT_H

#include "packing.h"
#include "settings.h"
#include "topics.h"

#include <outbox/types.h>
#include <pthread.h>
#include <stdbool.h>

struct client {
    rd_kafka_t *library;
    rd_kafka_queue_t *reports; /* delivery reports and errors */
    struct topics topics;
};

/* The place of the one client. Made and changed by one thread; used by any. */
struct seat {
    const struct outbox_host *host;
    const struct settings *settings;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct client *client; /* NULL while one goes and another comes */
    unsigned users;        /* of the client */
    bool is_closed;
};

bool seat_init(struct seat *seat, const struct outbox_host *host,
               const struct settings *settings) OUTBOX_MUST_USE;
void seat_clear(struct seat *seat);

/* Puts a new client into the empty seat. INVALID quotes the library. */
enum outbox_status seat_fill(struct seat *seat, const struct packing *packing, void *opaque,
                             struct outbox_error *error) OUTBOX_MUST_USE;

/* Takes the client out, so that nobody new uses it. NULL if the seat was empty. */
struct client *seat_empty(struct seat *seat) OUTBOX_MUST_USE;
bool seat_is_used(struct seat *seat) OUTBOX_MUST_USE;

/* Nobody waits for a client from now on. */
void seat_close(struct seat *seat);

/* Something has changed for those who wait here: there is a client, there is none, or its queue may
 * have room again. A wait lasts `nanoseconds` at the longest, and none once the seat is closed. */
void seat_wait(struct seat *seat, int64_t nanoseconds);
void seat_tell(struct seat *seat);

/* Ends a client that nobody uses. All its threads are gone afterwards, and with them every message
 * that it has not reported on. */
void client_free(struct client **client);

/* The client, kept until it is given back; NULL if none came until `deadline`. */
struct client *seat_take(struct seat *seat, int64_t deadline) OUTBOX_MUST_USE;
void seat_give_back(struct seat *seat);

/* Wakes who waits for a delivery report. */
void seat_wake(struct seat *seat);

#endif
