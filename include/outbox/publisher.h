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
    /* What to send as headers, in their order: the event's own and the relay's, as `route.headers`
     * asks. Names are distinct and not empty; values are any bytes. What the protocol cannot carry
     * as it is makes the message REJECTED: never changed, cut or left out. */
    const struct outbox_pair *headers;
    uint64_t header_count;

    /* Since 1.1. */

    /* Media type of the payload where the format sets one, else absent. To be put where the
     * protocol has its place for it; it is not among the headers. */
    struct outbox_slice content_type;
    /* CloudEvents context attributes ("specversion", "id", "source", ...), to be named and encoded
     * as the CloudEvents binding of the protocol says. Only with OUTBOX_PUBLISHER_ATTRIBUTES. */
    const struct outbox_pair *attributes;
    uint64_t attribute_count;
    /* What `route.properties` asks for, of the names in outbox_plugin.properties. A value that is
     * of no use makes the message REJECTED. */
    const struct outbox_pair *properties;
    uint64_t property_count;
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
    OUTBOX_AWAY = 5      /* the broker is away: no attempt charged, the pipeline pauses. Also for
                            what was sent to a connection that was lost or fell silent as a whole */
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
    OUTBOX_PUBLISHER_KEEPS_ORDER = 1u << 0, /* messages of equal key arrive in the order given, also
                                               when one of them fails */
    OUTBOX_PUBLISHER_ATTRIBUTES = 1u << 1   /* since 1.1: sends attributes and content_type of a
                                               message as its CloudEvents binding says */
};

/* Since 1.1. What an operator should know before the relay runs: one finding, level as of a log
 * line; an error is what events would fail of, a warning what some may fail of. */
typedef void outbox_check_line(void *context, uint32_t level, const char *text);

/* Since 1.1. What the configuration says before there is an event. */
struct outbox_publisher_check {
    uint64_t size;
    /* Where events can go, as far as that is known: topic and properties are set, all else is
     * absent. Empty where every topic depends on the event. */
    const struct outbox_message *destinations;
    uint64_t destination_size; /* byte distance between destinations */
    uint64_t destination_count;
    uint64_t max_payload; /* bytes: a broker that takes less is worth a finding */
};

/*
 * Threads: open and close are called by one thread, never beside another op. publish, flush,
 * cancel, ping and check may be called by several threads at once. A driver may complete messages
 * from threads of its own; it starts them in open (signals are blocked by then) and joins them in
 * close.
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
     * Called by `check --connect`, while the pipeline is paused, and every few seconds while it is
     * idle where somebody watches the relay; never by two threads at once for long. */
    enum outbox_status (*ping)(struct outbox_publisher *publisher, int64_t deadline,
                               struct outbox_error *error);

    /* O. Since 1.1. Asks the broker what would fail later: a missing topic, stream or exchange, a
     * missing right, a limit smaller than what may be sent. Changes nothing there. Reports each
     * finding to `line`, then returns OK; a failure means that it could not ask. Called by
     * `check --connect` after a ping that succeeded. */
    enum outbox_status (*check)(struct outbox_publisher *publisher,
                                const struct outbox_publisher_check *check, int64_t deadline,
                                outbox_check_line *line, void *context, struct outbox_error *error);
};

#ifdef __cplusplus
}
#endif
#endif
