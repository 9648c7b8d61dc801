/*
 * message.h - one message of the relay as a message of the library
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_MESSAGE_H
#define PUBLISHER_NATS_MESSAGE_H

#include "bytes.h"
#include "settings.h"

#include <nats/nats.h>
#include <outbox/publisher.h>

/* What a message is made with, used again for each. One thread at a time. */
struct composer {
    const struct settings *settings;
    uint64_t max_message; /* bytes of headers and payload that the server takes, 0: not known */
    struct bytes text;    /* copies that end in NUL */
};

/* Why a message cannot be sent, to be read by an operator. */
struct refusal {
    char reason[400];
};

enum composed { COMPOSED, REFUSED, NO_MEMORY };

/* Makes *made, to be freed by natsMsg_Destroy(); the payload is copied by the library. `reply` is
 * where the answer is to go, NULL for none. *size is what goes out, about. */
enum composed message_compose(struct composer *composer, const struct outbox_message *message,
                              const char *reply, natsMsg **made, uint64_t *size,
                              struct refusal *refusal) OUTBOX_MUST_USE;

#endif
