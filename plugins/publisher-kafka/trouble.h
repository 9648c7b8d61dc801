/*
 * trouble.h - what the client library last complained of, and whether the broker is there
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_KAFKA_TROUBLE_H
#define PUBLISHER_KAFKA_TROUBLE_H

#include <librdkafka/rdkafka.h>
#include <outbox/types.h>
#include <pthread.h>
#include <stdbool.h>

#define TROUBLE_TEXT 288

/* Any thread. */
struct trouble {
    const struct outbox_host *host;
    pthread_mutex_t lock;
    bool is_down;       /* and the log says so */
    int64_t gone_since; /* 0: some broker is there, as far as is known */
    rd_kafka_resp_err_t code;
    int64_t at; /* when it came */
    char text[TROUBLE_TEXT];
};

bool trouble_init(struct trouble *trouble, const struct outbox_host *host) OUTBOX_MUST_USE;
void trouble_clear(struct trouble *trouble);

/* The library reports an error. */
void trouble_note(struct trouble *trouble, rd_kafka_resp_err_t code, const char *text);

/* Nothing gets through any more, or something does again: said once each. */
void trouble_down(struct trouble *trouble);
void trouble_over(struct trouble *trouble);

/* Since when all brokers are gone; 0: not since something got through. The library says it once an
 * outage, and also when the one connection was closed because it was idle. */
int64_t trouble_gone_since(struct trouble *trouble) OUTBOX_MUST_USE;

/* Whether broker and relay refused each other (credentials, certificates) since the instant
 * `since`. */
bool trouble_is_refusal(struct trouble *trouble, int64_t since);

/* Appends "; last error: ..." to `text`, or nothing if there was none. */
void trouble_append(struct trouble *trouble, char *text, size_t size);

#endif
