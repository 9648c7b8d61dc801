/*
 * compose.h - makes the URL and the headers of a request out of a message
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_COMPOSE_H
#define PUBLISHER_WEBHOOK_COMPOSE_H

#include "request.h"

enum composed {
    COMPOSED,
    COMPOSE_REJECTED, /* HTTP cannot carry it; `why` says so */
    COMPOSE_NO_MEMORY
};

/* Fills the request's message, URL and headers. What it is composed of stays until the message is
 * completed, the payload is not copied. */
enum composed compose(struct request *request, const struct outbox_message *message,
                      struct signer *signer, char *why, size_t size) OUTBOX_MUST_USE;

#endif
