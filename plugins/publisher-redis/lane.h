/*
 * lane.h - a thread that sends messages through connections of its own
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_LANE_H
#define PUBLISHER_REDIS_LANE_H

#include "away.h"
#include "entry.h"
#include "link.h"
#include "queue.h"
#include "results.h"

#include <poll.h>

#define LANE_ROUND 512u /* messages that are sent together */

struct lane {
    /* Set by open and constant. */
    struct remote *remote;
    struct away *away;
    int bell;     /* eventfd: rung when there is something to do while the thread sleeps */
    int end_bell; /* eventfd: readable once the lane is to end */
    pthread_t thread;

    pthread_mutex_t mutex;
    pthread_cond_t emptied; /* outstanding has become 0 */
    /* Under the mutex. */
    struct queue queue;
    uint64_t outstanding; /* messages handed over and not completed */
    bool is_asleep, is_ending;

    /* The thread's own. */
    struct entry_writer writer;
    struct results results;
    struct link *links[CLUSTER_NODES]; /* by node; NULL: never needed */
    unsigned link_count;               /* beyond the last that is not NULL */
    struct queued round[LANE_ROUND];
    struct queued *again; /* redirected, to be sent before all others */
    uint64_t again_count, again_capacity;
    uint64_t settled; /* of results.reported: told to `outstanding` */
    struct pollfd polled[CLUSTER_NODES + 1];
};

/* Makes the lane and starts its thread. On failure there is nothing to close. */
enum outbox_status lane_open(struct lane **lane, struct remote *remote, struct away *away,
                             struct outbox_error *error) OUTBOX_MUST_USE;

/* Two steps, so that many lanes end together. What is left is completed UNKNOWN. */
void lane_end(struct lane *lane);
void lane_close(struct lane **lane);

/* Any thread. The lane takes the parcel over. */
void lane_put(struct lane *lane, struct parcel *parcel);

/* Any thread. Completes what has not been sent of the batch as RETRY. */
void lane_cancel(struct lane *lane, const struct outbox_batch *batch);

/* Any thread. Waits until nothing is outstanding or the deadline; whether nothing is. */
bool lane_wait_empty(struct lane *lane, int64_t deadline) OUTBOX_MUST_USE;

/* ---- Between the files of the lane -------------------------------------------------------- */

/* lane_send.c: makes commands of the messages and puts them on their links. */
void lane_send(struct lane *lane, const struct queued *messages, uint64_t count, int64_t now);

/* lane_receive.c: what came back, and what did not. */
void lane_receive(struct lane *lane, struct link *link, int64_t now);
void lane_judge(struct lane *lane, struct link *link, int64_t now);

/* Whether close() waits for the thread. */
bool lane_is_ending(struct lane *lane);

/* Completes all that is in flight on the link as AWAY, or UNKNOWN at the end, and closes it. */
void lane_lose(struct lane *lane, struct link *link, enum outbox_outcome outcome,
               const char *reason);

/* The connection has failed: what is in flight on it is AWAY. */
void lane_give_up(struct lane *lane, struct link *link, const char *native_code, const char *why);

/* To be sent again, before all others. */
void lane_send_again(struct lane *lane, struct queued message);

#endif
