/*
 * link.h - one connection to the broker and the thread that owns it
 * SPDX-License-Identifier: MIT
 *
 * Channel 1 carries the messages, many at a time. Channel 2 carries one at a time: the first
 * message to each exchange, and whatever may make the broker close the channel, so that no other
 * message is in doubt for it. Channel 3 is for questions.
 */
#ifndef PUBLISHER_RABBITMQ_LINK_H
#define PUBLISHER_RABBITMQ_LINK_H

#include "exchanges.h"
#include "flight.h"
#include "parcel.h"
#include "report.h"
#include "settings.h"
#include "wire.h"

#include <pthread.h>

/* Messages of one batch for one link, as runs; given to the link with link_push(). */
struct run {
    uint64_t first, count;
};

struct order {
    struct order *next;
    const struct outbox_batch *batch;
    uint64_t run_count, at;
    struct run runs[];
};

enum question_kind {
    QUESTION_PING,  /* does it answer? */
    QUESTION_RIGHT, /* would it take a message for `exchange` with `key`? Changes nothing. */
    QUESTION_QUEUE  /* is there a queue `key`? */
};

struct question {
    enum question_kind kind;
    struct outbox_slice exchange, key; /* 255 bytes at most; borrowed by link_ask() */
};

struct answer {
    enum outbox_status status; /* OUTBOX_OK: the broker answered */
    uint16_t code;             /* with which it refused, 0: it did not */
    char text[472];            /* why it failed or was refused */
    char version[48];          /* of the broker */
};

enum inquiry_state { INQUIRY_FREE, INQUIRY_WANTED, INQUIRY_RUNNING, INQUIRY_DONE };
enum inquiry_stage { STAGE_CLOSED, STAGE_OPENING, STAGE_OPEN, STAGE_ASKED, STAGE_CLOSING };

struct inquiry {
    /* Under the link's mutex. */
    enum inquiry_state state;
    bool is_abandoned;        /* nobody waits for the answer any more */
    struct question question; /* which points to what follows */
    char exchange[255], key[255];
    struct answer answer;
    /* Of the link's thread: the stage of channel 3, and the question that runs. */
    enum inquiry_stage stage;
    struct question running;
    char running_exchange[255], running_key[255];
};

enum { CHANNEL_MAIN = 1, CHANNEL_PROBE = 2, CHANNEL_QUESTIONS = 3 };

struct channel {
    amqp_channel_t number;
    bool is_ready;
    bool is_returning; /* the properties of a returned message come next */
    struct flight flight;
};

struct link {
    const struct outbox_host *host;
    const struct settings *settings;
    pthread_t thread;
    int wake_fd;
    atomic_bool is_stopping;

    pthread_mutex_t mutex;
    pthread_cond_t answered;
    struct order *first_order, *last_order; /* under the mutex */
    struct inquiry inquiry;

    /* All that follows is of the thread alone. */
    struct wire wire;
    struct report report;
    struct channel main, probe;
    struct exchanges exchanges;
    struct item held; /* the next message, ready in `parcel` */
    struct parcel parcel;
    struct item *again; /* messages whose channel was closed under them, to be sent once more */
    uint64_t again_at, again_count;
    uint64_t careful; /* so many of them go one at a time */
    bool is_throttled;
    bool is_blocked;
    bool is_ended; /* the broker has closed the connection, for `end_reason` */
    bool was_lost;
    uint64_t place;  /* which host is tried first */
    char where[272]; /* the host of the last connection */
    int64_t confirmed_at;
    char block_reason[256];
    char end_reason[472];
    char version[48];
};

/* ---- For every thread (link.c) ---- */

bool link_start(struct link *link, const struct outbox_host *host,
                const struct settings *settings) OUTBOX_MUST_USE;
/* Tells the thread to end; link_join() waits for it, a second at most for the broker, and completes
 * what is left UNKNOWN. */
void link_stop(struct link *link);
void link_join(struct link *link);

struct order *order_new(const struct outbox_batch *batch, uint64_t run_count) OUTBOX_MUST_USE;
void order_free(struct order *order);
/* Takes the order over. */
void link_push(struct link *link, struct order *order);
/* Completes what was not sent of a batch as RETRY. */
void link_cancel(struct link *link, const struct outbox_batch *batch);

/* Asks the broker and waits for the answer, connecting if need be. */
void link_ask(struct link *link, const struct question *question, int64_t deadline,
              struct answer *answer);

/* ---- For the thread ---- */

/* link.c: the next message that waits to be sent. */
bool link_take(struct link *link, struct item *item) OUTBOX_MUST_USE;
/* link_thread.c: ends the connection; everything goes with this outcome. */
void link_give_up(struct link *link, enum outbox_outcome outcome, const char *reason);
void link_give_up_queue(struct link *link, enum outbox_outcome outcome, const char *reason);
/* link_send.c */
void link_fill(struct link *link, int64_t now);
int64_t link_due(struct link *link) OUTBOX_MUST_USE;
/* False if the connection has to be given up, for `end_reason`. */
bool link_expire(struct link *link, int64_t now) OUTBOX_MUST_USE;
/* link_frames.c */
void link_open_channel(struct link *link, struct channel *channel);
void link_take_frame(void *context, const amqp_frame_t *frame);
/* inquiry.c */
bool inquiry_is_wanted(struct link *link) OUTBOX_MUST_USE;
void inquiry_run(struct link *link);
void inquiry_take_method(struct link *link, const amqp_method_t *method);
/* Answers what is wanted or runs, without the broker. */
void inquiry_fail(struct link *link, enum outbox_status status, const char *text);

static inline const struct outbox_message *item_message(struct item item)
{
    return outbox_batch_at(item.batch, item.index);
}

#endif
