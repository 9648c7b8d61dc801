/*
 * publisher.h - the open publisher
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_PUBLISHER_H
#define PUBLISHER_REDIS_PUBLISHER_H

#include "lane.h"

struct outbox_publisher {
    const struct outbox_host *host;
    struct remote remote;
    struct away away;
    struct lane **lanes;
    uint64_t lane_count;
    _Atomic uint64_t turn; /* of the lanes, for what has no key */
};

extern const struct outbox_publisher_ops publisher_ops;

/* ping.c, check.c: the ops of these names. */
enum outbox_status publisher_ping(struct outbox_publisher *publisher, int64_t deadline,
                                  struct outbox_error *error) OUTBOX_MUST_USE;
enum outbox_status publisher_check(struct outbox_publisher *publisher,
                                   const struct outbox_publisher_check *check, int64_t deadline,
                                   outbox_check_line *line, void *context,
                                   struct outbox_error *error) OUTBOX_MUST_USE;

#endif
