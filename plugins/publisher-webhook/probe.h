/*
 * probe.h - reaches the receiver without sending it an event
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_WEBHOOK_PROBE_H
#define PUBLISHER_WEBHOOK_PROBE_H

#include "receiver.h"

#include <outbox/publisher.h>

/* A round trip on a connection of its own. Any thread. */
enum outbox_status probe_ping(struct receiver *receiver, int64_t deadline,
                              struct outbox_error *error) OUTBOX_MUST_USE;

/* What an operator should know before events are sent. */
enum outbox_status probe_check(struct receiver *receiver,
                               const struct outbox_publisher_check *check, int64_t deadline,
                               outbox_check_line *line, void *context,
                               struct outbox_error *error) OUTBOX_MUST_USE;

#endif
