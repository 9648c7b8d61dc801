/*
 * answer.h - what the answer to a published message means
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_ANSWER_H
#define PUBLISHER_NATS_ANSWER_H

#include <outbox/publisher.h>
#include <stdbool.h>

struct verdict {
    uint32_t outcome;  /* enum outbox_outcome */
    bool is_duplicate; /* ACKED, and the stream had it before */
    char reason[300];  /* unless ACKED: to be put behind the subject */
};

/* The acknowledgement of a stream, byte by byte as every server writes it; false for anything else,
 * which answer_read() looks at. */
bool answer_is_plain_ack(const char *data, size_t len);

/* Any answer of a server. */
void answer_read(const char *data, size_t len, struct verdict *verdict);

/* That no stream takes the subject, for sure or as far as can be told. */
void answer_missing(bool is_sure, bool rejects_missing, struct verdict *verdict);

/* That no stream takes a subject of which one has lately acknowledged something. */
void answer_gone(struct verdict *verdict);

#endif
