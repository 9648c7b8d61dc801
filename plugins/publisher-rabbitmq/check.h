/*
 * check.h - what events would fail of, found before there is one
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_RABBITMQ_CHECK_H
#define PUBLISHER_RABBITMQ_CHECK_H

#include "link.h"

enum outbox_status check_run(struct link *link, const struct outbox_publisher_check *check,
                             int64_t deadline, outbox_check_line *line, void *context,
                             struct outbox_error *error) OUTBOX_MUST_USE;

#endif
