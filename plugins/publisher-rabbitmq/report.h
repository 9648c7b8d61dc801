/*
 * report.h - outcomes, gathered into runs before the relay is told
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_RABBITMQ_REPORT_H
#define PUBLISHER_RABBITMQ_REPORT_H

#include <outbox/publisher.h>
#include <stdbool.h>

/* One thread at a time. Starts as {.host = host}. What is added is completed by the next
 * report_flush() at the latest. */
struct report {
    const struct outbox_host *host;
    const struct outbox_batch *batch;
    uint64_t first, count;
    enum outbox_outcome outcome;
    char reason[472];
};

/* `reason` is copied; NULL for ACKED. */
void report_add(struct report *report, const struct outbox_batch *batch, uint64_t index,
                enum outbox_outcome outcome, const char *reason);
void report_flush(struct report *report);

#endif
