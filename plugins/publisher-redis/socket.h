/*
 * socket.h - connects to a server
 * SPDX-License-Identifier: MIT
 */
#ifndef PUBLISHER_REDIS_SOCKET_H
#define PUBLISHER_REDIS_SOCKET_H

#include "patience.h"
#include "settings.h"

/* Tries every address of the host until one answers. The descriptor neither blocks nor delays. Only
 * the resolver, while it asks for the name, can keep the caller beyond its patience. `silence` is
 * how long sent bytes may stay without the peer's acknowledgement. */
enum outbox_status socket_connect(const struct place *place, int64_t silence,
                                  const struct patience *patience, int *fd,
                                  struct outbox_error *error) OUTBOX_MUST_USE;

enum outbox_status socket_connect_path(const char *path, const struct patience *patience, int *fd,
                                       struct outbox_error *error) OUTBOX_MUST_USE;

#endif
