/*
 * message.h - makes the message to publish out of an event
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_MESSAGE_H
#define CORE_MESSAGE_H

#include "arena.h"

#include <outbox/publisher.h>
#include <stdbool.h>

/* Points into the event; parsed headers go to `arena`. False if the event can never be sent: *why
 * then says so, in the arena or static, absent if memory ran out (the event is not at fault). */
bool message_make(const struct outbox_event *event, uint64_t max_payload, struct arena *arena,
                  struct outbox_message *message, struct outbox_slice *why)
    __attribute__((warn_unused_result));

#endif
