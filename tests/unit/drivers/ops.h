/*
 * ops.h - operations that can be asked for and do nothing
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_OPS_H
#define TESTS_OPS_H

#include <outbox/plugin.h>

/* The required operations of a publisher, without those that a test leaves out. */
static enum outbox_status sample_publisher_open(const struct outbox_host *host,
                                                const struct outbox_settings *settings,
                                                struct outbox_publisher **publisher,
                                                struct outbox_error *error)
{
    (void)host, (void)settings, (void)publisher;
    return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "open a publisher that is only a sample");
}

static void sample_publisher_close(struct outbox_publisher *publisher)
{
    (void)publisher;
}

static enum outbox_status sample_publisher_ping(struct outbox_publisher *publisher,
                                                int64_t deadline, struct outbox_error *error)
{
    (void)publisher, (void)deadline, (void)error;
    return OUTBOX_OK;
}

static inline enum outbox_status sample_publish(struct outbox_publisher *publisher,
                                                const struct outbox_batch *batch,
                                                struct outbox_error *error)
{
    (void)publisher, (void)batch;
    return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "publish by a sample");
}

#define SAMPLE_PUBLISHER_OPS                                                                       \
    OUTBOX_OPS(outbox_publisher_ops), .open = sample_publisher_open,                               \
                                      .close = sample_publisher_close,                             \
                                      .ping = sample_publisher_ping

#endif
