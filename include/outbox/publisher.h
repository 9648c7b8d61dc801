/*
 * publisher.h - what a driver for a message broker implements
 * SPDX-License-Identifier: MIT
 */
#ifndef OUTBOX_PUBLISHER_H
#define OUTBOX_PUBLISHER_H

#include <outbox/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open publisher; the driver's own. */
struct outbox_publisher;

/* One message to send. Everything it points to stays at the same address until the message is
 * completed, so a driver need not copy a payload. */
struct outbox_message {
    const struct outbox_event *event;
    struct outbox_slice topic; /* where to: topic, subject, stream, routing key */
    struct outbox_slice key;   /* partitioning key, absent if there is none */
    struct outbox_slice payload;
    const struct outbox_pair *headers; /* the event's own headers, in their order */
    uint64_t header_count;
};

/* Messages handed over together, of one pipeline, in the order in which the store gave them. */
struct outbox_batch {
    uint64_t size;
    const struct outbox_message *messages;
    uint64_t message_size; /* byte distance between messages */
    uint64_t count;        /* never 0 */
    int64_t deadline;      /* complete every message by then, with UNKNOWN or RETRY if need be */
};

static inline const struct outbox_message *outbox_batch_at(const struct outbox_batch *batch,
                                                           uint64_t index)
{
    return (const struct outbox_message *)(const void *)((const char *)batch->messages +
                                                         index * batch->message_size);
}

enum outbox_outcome {
    OUTBOX_ACKED = 1,    /* the broker has it durably, and said so */
    OUTBOX_RETRY = 2,    /* this event failed and may work later: an attempt is charged */
    OUTBOX_UNKNOWN = 3,  /* sent, no answer in time: as RETRY, and may become a duplicate */
    OUTBOX_REJECTED = 4, /* can never work: the event becomes DEAD */
    OUTBOX_AWAY = 5      /* the broker is away: no attempt charged, the pipeline pauses */
};

/* The outcome of one message or of a run of them. Copied by complete() before it returns. */
struct outbox_result {
    uint64_t size;
    uint32_t outcome; /* enum outbox_outcome */
    uint32_t reserved;
    struct outbox_slice reason; /* why, unless ACKED: what an operator reads in last_error */
};

struct outbox_publisher_limits {
    uint64_t size;
    uint64_t max_payload;   /* bytes a message's payload may have, 0: no limit known */
    uint64_t max_in_flight; /* messages that publish() takes without blocking, 0: no limit known */
};

/* Capability bits of a publisher. */
enum outbox_publisher_capability {
    OUTBOX_PUBLISHER_KEEPS_ORDER = 1u << 0 /* messages of equal key arrive in the order given, also
                                              when one of them fails */
};

/*
 * Threads: open and close are called by one thread, never beside another op. publish, flush,
 * cancel and ping may be called by several threads at once. A driver may complete messages from
 * threads of its own; it starts them in open (signals are blocked by then) and joins them in close.
 *
 * R = required, O = optional (NULL: unsupported, and the relay says so where it matters).
 */
struct outbox_publisher_ops {
    uint64_t size;

    /* R. Makes a publisher from checked settings. Should not need the broker: a broker that is away
     * is found by ping() or publish(). INVALID for settings that contradict each other. Blocking on
     * local resources only. `host` stays valid until close() returns. */
    enum outbox_status (*open)(const struct outbox_host *host,
                               const struct outbox_settings *settings,
                               struct outbox_publisher **publisher, struct outbox_error *error);

    /* R. Joins the driver's threads and frees everything. The relay has no message in flight then,
     * or has given up on them: those still incomplete are completed UNKNOWN before close returns.
     * Never waits for the broker longer than 5 s. */
    void (*close)(struct outbox_publisher *publisher);

    /* O. What the relay should respect; called once after open. `limits` comes zeroed. */
    void (*limits)(struct outbox_publisher *publisher, struct outbox_publisher_limits *limits);

    /* R. Takes over a batch. Returning OK means that each of its messages will be completed with
     * host->complete() exactly once, before or after publish() returns, in any order. Returning a
     * failure means that nothing was sent and nothing was or will be completed: the relay releases
     * every event and pauses until ping() succeeds. `batch` and all it points to stay until its
     * last message is completed; the completing call for the last message is the last use of it.
     * What is wrong with one message is never a reason to refuse a batch, which would come again
     * and again: complete that message REJECTED. May block while it writes, never longer than
     * batch->deadline. */
    enum outbox_status (*publish)(struct outbox_publisher *publisher,
                                  const struct outbox_batch *batch, struct outbox_error *error);

    /* O. Hurries along what is buffered, until nothing is in flight or `deadline`. TIMEOUT if
     * something still is. A success says nothing of any event: only complete() does. */
    enum outbox_status (*flush)(struct outbox_publisher *publisher, int64_t deadline,
                                struct outbox_error *error);

    /* O. Gives up on what has not been sent of a batch: completes those messages RETRY. What was
     * sent is still completed as its answer comes. Returns without waiting. The batch may have
     * completed meanwhile on another thread: the relay keeps it in memory during the call. It may
     * also come before publish() has seen the batch, and then changes nothing. */
    void (*cancel)(struct outbox_publisher *publisher, const struct outbox_batch *batch);

    /* R. Whether messages could be sent now: reaches the broker if there is one, by `deadline`.
     * Called by `check --connect`, and while the pipeline is paused, by one thread. */
    enum outbox_status (*ping)(struct outbox_publisher *publisher, int64_t deadline,
                               struct outbox_error *error);
};

#ifdef __cplusplus
}
#endif
#endif
