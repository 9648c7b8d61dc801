/*
 * courier.h - one connection and the thread that sends and takes answers on it
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_COURIER_H
#define PUBLISHER_NATS_COURIER_H

#include "attempt.h"
#include "forbidden.h"
#include "link.h"
#include "message.h"
#include "parcel.h"
#include "served.h"
#include "window.h"

#include <pthread.h>

#define MILLISECOND INT64_C(1000000)
#define SECOND INT64_C(1000000000)

/* Acknowledged messages that are next to each other, to be completed together. */
struct run {
    struct parcel *parcel; /* NULL: none */
    uint64_t first, count;
};

struct courier {
    const struct outbox_host *host;
    struct settings *settings;
    pthread_t thread, pulse;
    int wake_fd;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* of the following */
    struct parcels handed;  /* given to publish(), not yet seen by the thread */
    struct parcels parcels; /* the thread's; changed with the lock held */
    uint64_t load;          /* messages that are not completed */
    struct link *link;      /* the thread's; set with the lock held */
    bool is_wanted;         /* somebody waits for a connection */
    bool is_stopping;
    bool is_cancelling; /* a parcel has been cancelled */
    uint64_t failures;  /* attempts to connect that failed */
    enum outbox_status last_status;
    struct outbox_error last_error;
    uint64_t proved;      /* serial up to which a round trip of this link was behind */
    int64_t proved_since; /* when that round trip began */

    _Atomic int64_t heard_at;   /* when something came from the server */
    _Atomic int64_t busy_since; /* in a call of the library that may block, or 0 */
    _Atomic uint64_t last_sent; /* serial */

    /* The thread's alone. */
    struct attempt *attempt;
    int64_t attempt_began;
    size_t server; /* the number of the last one connected to */
    bool was_lost; /* a connection that was there is not */
    bool has_lost; /* the link is dead, for `reason` */
    char reason[300];
    struct parcel *unsent; /* the first that has something to be sent */
    struct window window;
    struct composer composer;
    struct forbidden forbidden; /* of core NATS alone */
    struct served served;       /* of JetStream alone */
    struct run run;
    uint64_t buffered; /* bytes that wait in the library, at most */
    int64_t next_expiry;
    uint32_t unheard; /* messages in the window that no stream takes; which is not known yet */
    int64_t unheard_since;
};

bool courier_start(struct courier *courier, const struct outbox_host *host,
                   struct settings *settings) OUTBOX_MUST_USE;

/* Completes what is left UNKNOWN and joins the threads. */
void courier_stop(struct courier *courier);

/* Takes over a batch; false if the memory is used up. */
bool courier_publish(struct courier *courier, const struct outbox_batch *batch) OUTBOX_MUST_USE;

/* Whether the batch was there. */
bool courier_cancel(struct courier *courier, const struct outbox_batch *batch);

uint64_t courier_load(struct courier *courier);

/* Waits until nothing is in flight; false at the deadline. */
bool courier_wait_idle(struct courier *courier, int64_t deadline) OUTBOX_MUST_USE;

/* A connection, made if there is none, to be given back by link_release(); NULL with why. */
struct link *courier_link(struct courier *courier, int64_t deadline, enum outbox_status *status,
                          struct outbox_error *error) OUTBOX_MUST_USE;

/* Any thread: makes the courier look at what has changed. */
void courier_wake(struct courier *courier);

#endif
