/*
 * verdict.h - from what became of a request to the outcome of its event
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_VERDICT_H
#define PUBLISHER_WEBHOOK_VERDICT_H

#include "receiver.h"
#include "request.h"

#define REASON_SIZE 448u

struct verdict {
    enum outbox_outcome outcome;
    bool is_redirect;   /* not yet one: the receiver points elsewhere, and that may be followed */
    bool is_connection; /* the connection failed, not the event */
    char reason[REASON_SIZE];
};

/* Decides, and tells the receiver what it has learned. */
void verdict_decide(struct verdict *verdict, const struct request *request, CURLcode code,
                    struct receiver *receiver);

/* The receiver pointed elsewhere, which is not followed because of `why`. */
void verdict_not_redirected(struct verdict *verdict, const struct request *request,
                            const char *why);

/* What libcurl says of a failure, for a person. */
const char *verdict_trouble(CURLcode code, const char *trouble);

#endif
