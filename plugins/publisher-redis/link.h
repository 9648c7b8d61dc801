/*
 * link.h - one connection that messages go through: what is in flight on it, and whether it lives
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_LINK_H
#define PUBLISHER_REDIS_LINK_H

#include "answer.h"
#include "flights.h"
#include "remote.h"

/* One thread at a time. */
struct link {
    struct wire wire;
    struct greeting greeting;
    struct flights flights;
    struct answer answer;
    int64_t alive_at;      /* when it was heard last, or began to owe an answer */
    uint64_t heard_of;     /* bytes that were written when it was heard last */
    int64_t next_deadline; /* no message in flight has an earlier one */
    uint64_t unwaited;     /* messages sent since the last WAIT */
    unsigned made_at;      /* `times` of the lane's away when it was opened */
    bool is_open;
};

/* `next_deadline` while nothing is in flight. */
#define LINK_NEVER INT64_MAX

enum outbox_status link_open(struct link *link, struct remote *remote, unsigned node,
                             const struct patience *patience,
                             struct outbox_error *error) OUTBOX_MUST_USE;

/* What was in flight has been taken out of it. */
void link_close(struct link *link);

/* The command that was just added is in flight. There is room for it. */
void link_sent(struct link *link, const struct outbox_batch *batch, uint32_t index,
               enum flight_kind kind, uint8_t redirects, int64_t now);

/* Sends what the connection takes: 0 or the number of errno. */
int link_send(struct link *link, int64_t now) OUTBOX_MUST_USE;

/* Reads what has come: 0, WIRE_ENDED or the number of errno. */
int link_receive(struct link *link, int64_t now) OUTBOX_MUST_USE;

/* Whether a message in flight could have been read by the server in whole. */
static inline bool link_has_written(const struct link *link, const struct flight *flight)
{
    return flight->end <= link->wire.out.written;
}

/* Whether anything has been heard since it was. */
static inline bool link_has_heard_since(const struct link *link, const struct flight *flight)
{
    return flight->end <= link->heard_of;
}

/* When the connection is to be given up unless it is heard; LINK_NEVER if it owes nothing. */
int64_t link_patience_ends(const struct link *link, int64_t response_timeout);

#endif
