/*
 * driver.h - the publisher
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_DRIVER_H
#define PUBLISHER_NATS_DRIVER_H

#include "courier.h"
#include "warden.h"

struct outbox_publisher {
    const struct outbox_host *host;
    struct settings *settings;
    struct courier *couriers; /* settings->connections of them */
    struct warden warden;     /* with TLS */
};

/* The op ping: a round trip on every connection, which is made if it is not there. */
enum outbox_status nats_ping(struct outbox_publisher *publisher, int64_t deadline,
                             struct outbox_error *error) OUTBOX_MUST_USE;

/* The op check. */
enum outbox_status nats_check(struct outbox_publisher *publisher,
                              const struct outbox_publisher_check *check, int64_t deadline,
                              outbox_check_line *line, void *context,
                              struct outbox_error *error) OUTBOX_MUST_USE;

#endif
