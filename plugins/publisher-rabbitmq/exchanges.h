/*
 * exchanges.h - what is known of exchanges, so that a bad one is met by one message alone
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_RABBITMQ_EXCHANGES_H
#define PUBLISHER_RABBITMQ_EXCHANGES_H

#include <outbox/publisher.h>
#include <stdbool.h>

#define EXCHANGES_KNOWN 512u
#define EXCHANGES_BUCKETS 1024u

enum exchange_state {
    EXCHANGE_UNKNOWN, /* the next message goes alone */
    EXCHANGE_GOOD,    /* it has taken a message of this connection */
    EXCHANGE_BAD      /* messages are not sent until `until` */
};

struct exchange {
    uint8_t name_len;
    char name[255];
    enum exchange_state state;
    enum outbox_outcome outcome; /* of messages while it is bad */
    int64_t until;
    char *reason;  /* while it is bad */
    uint16_t next; /* of its bucket; numbers count from 1, 0 is the end */
};

/* Starts as all zeroes. */
struct exchanges {
    struct exchange known[EXCHANGES_KNOWN];
    uint16_t buckets[EXCHANGES_BUCKETS];
    uint64_t count, last, oldest;
};

/* Names are 255 bytes at most. A new one pushes out the one that came first. Valid until the next
 * call. */
struct exchange *exchanges_find(struct exchanges *exchanges, struct outbox_slice name);
/* Messages get this outcome until then. */
void exchange_set_bad(struct exchange *exchange, int64_t until, enum outbox_outcome outcome,
                      const char *reason);
/* For a new channel: what was good has to show it again. */
void exchanges_doubt(struct exchanges *exchanges);
void exchanges_clear(struct exchanges *exchanges);

#endif
