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
    bool is_down; /* and the log says so */
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

/* Whether broker and relay refused each other (credentials, certificates) since the instant
 * `since`. */
bool trouble_is_refusal(struct trouble *trouble, int64_t since);

/* Appends "; last error: ..." to `text`, or nothing if there was none. */
void trouble_append(struct trouble *trouble, char *text, size_t size);

#endif
