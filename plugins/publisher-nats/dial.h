/*
 * dial.h - the library's options for a connection
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_NATS_DIAL_H
#define PUBLISHER_NATS_DIAL_H

#include "settings.h"

#include <nats/nats.h>

/* The options for one server, to be freed by natsOptions_Destroy(): who the relay is, TLS, and that
 * the library neither connects again by itself nor pings: both are ours to do. INVALID for a file
 * of certificates that is no such file. */
enum outbox_status dial_options(struct settings *settings, const struct address *address,
                                natsOptions **options, struct outbox_error *error) OUTBOX_MUST_USE;

#endif
