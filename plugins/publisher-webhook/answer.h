/*
 * answer.h - what a receiver answered, as far as it matters
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_ANSWER_H
#define PUBLISHER_WEBHOOK_ANSWER_H

#include <outbox/types.h>
#include <stdbool.h>

/* An answer that goes on beyond this is cut off. */
#define ANSWER_MAX_HEADER ((uint64_t)64 * 1024)
#define ANSWER_MAX_BODY ((uint64_t)64 * 1024)
#define ANSWER_KEPT 1024u
#define ANSWER_LONGEST_WAIT 3600 /* seconds */

struct answer {
    long status;      /* of the last header, 0: none yet */
    bool is_complete; /* that header is there to its end, and it is no interim one */
    bool is_endless;  /* was cut off */
    uint64_t header_bytes, body_bytes, kept_bytes;
    char retry_after[64], date[64]; /* of those headers, "" */
    char kept[ANSWER_KEPT];         /* how the body begins */
};

void answer_init(struct answer *answer);

/* Take one line of the header, or a piece of the body; false if that is enough of it. */
bool answer_header(struct answer *answer, struct outbox_slice line) OUTBOX_MUST_USE;
bool answer_body(struct answer *answer, struct outbox_slice piece) OUTBOX_MUST_USE;

/* How many seconds the receiver asks to wait, ANSWER_LONGEST_WAIT at most; -1 if it does not ask.
 * A date is understood as seen from the answer's own, so the two clocks need not agree. */
int64_t answer_wait(const struct answer *answer);

#endif
