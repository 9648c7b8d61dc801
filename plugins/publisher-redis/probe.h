/*
 * probe.h - whether Redis would take an event, without handing it one
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_PROBE_H
#define PUBLISHER_REDIS_PROBE_H

#include "remote.h"

/* An error of Redis, or "" if it would take the event. */
#define PROBE_TEXT 256

/* Tries XADD with an id that no entry can have. Redis says so only after it has found that the user
 * may write there, that it has the memory, the disk and the replicas that it wants, that it is no
 * replica, and that the key belongs here; it writes nothing and makes no stream. What is tested is
 * thus what an event would meet. `text` is "" as well if that cannot be found out. */
enum outbox_status probe_write(const struct settings *settings, struct wire *wire,
                               const struct patience *patience, struct outbox_slice topic,
                               char text[PROBE_TEXT], struct outbox_error *error) OUTBOX_MUST_USE;

#endif
