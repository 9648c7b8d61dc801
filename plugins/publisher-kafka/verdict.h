/*
 * verdict.h - from an error of the client library to the outcome of a message
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_KAFKA_VERDICT_H
#define PUBLISHER_KAFKA_VERDICT_H

#include <librdkafka/rdkafka.h>
#include <outbox/publisher.h>
#include <stdbool.h>

struct verdict {
    uint32_t outcome; /* enum outbox_outcome */
    /* One message's fault, for which the broker refuses the request it came with. */
    bool is_contagious;
    const char *remedy; /* NULL: none is known */
};

/* `may_be_there`: the broker may have the message all the same. */
struct verdict verdict_of(rd_kafka_resp_err_t code, bool may_be_there,
                          bool rejects_missing) OUTBOX_MUST_USE;

/* "topic T: Broker: ... (CODE); REMEDY" */
void verdict_text(const struct verdict *verdict, rd_kafka_resp_err_t code, const char *topic,
                  char *text, size_t size);

/* Of a fatal error, after which a client sends nothing any more. */
void verdict_text_of_loss(rd_kafka_resp_err_t code, char *text, size_t size);

#endif
