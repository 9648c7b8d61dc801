/*
 * sentinel.h - asks Redis Sentinel where the master is
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_SENTINEL_H
#define PUBLISHER_REDIS_SENTINEL_H

#include "remote.h"

/* Asks one sentinel after the other until one answers. *place is the caller's to free. The error
 * says what the last of them failed of. */
enum outbox_status sentinel_find(struct remote *remote, const struct patience *patience,
                                 struct place *place, struct outbox_error *error) OUTBOX_MUST_USE;

#endif
