/*
 * driver.h - an open publisher, and what its parts share
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_KAFKA_DRIVER_H
#define PUBLISHER_KAFKA_DRIVER_H

#include "client.h"
#include "flight.h"
#include "settings.h"
#include "trouble.h"

#include <outbox/publisher.h>
#include <stdatomic.h>

struct outbox_publisher {
    const struct outbox_host *host;
    struct settings settings;
    struct seat seat;
    struct flights flights;
    struct trouble trouble;
    pthread_t reporter;
    _Atomic bool is_closing;
    _Atomic bool is_client_lost; /* it has refused a message for good */
};

/* reporter.c: the thread that takes delivery reports, keeps deadlines and replaces the client. */
enum outbox_status reporter_start(struct outbox_publisher *publisher,
                                  struct outbox_error *error) OUTBOX_MUST_USE;
/* Completes what is open and ends the client. */
void reporter_stop(struct outbox_publisher *publisher);

/* probe.c, check.c */
enum outbox_status kafka_ping(struct outbox_publisher *publisher, int64_t deadline,
                              struct outbox_error *error) OUTBOX_MUST_USE;
enum outbox_status kafka_check(struct outbox_publisher *publisher,
                               const struct outbox_publisher_check *check, int64_t deadline,
                               outbox_check_line *line, void *context,
                               struct outbox_error *error) OUTBOX_MUST_USE;

#endif
