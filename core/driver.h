/*
 * driver.h - opens the store and the publisher that a pipeline names
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_DRIVER_H
#define CORE_DRIVER_H

#include "config.h"
#include "host.h"

/* Both need an initialised host that outlives what is opened. On failure nothing is left open and
 * `error` has a text; which pipeline and driver it was, the caller adds. */
enum outbox_status driver_store_open(struct host *host, const struct config *config,
                                     const struct pipeline_config *pipeline,
                                     struct outbox_store **store, struct outbox_error *error)
    __attribute__((warn_unused_result));
enum outbox_status driver_publisher_open(struct host *host, const struct pipeline_config *pipeline,
                                         struct outbox_publisher **publisher,
                                         struct outbox_error *error)
    __attribute__((warn_unused_result));

/* The one sentence of a failed op for a person: the driver's text, with its native code unless it
 * is in the text already; never empty. */
#define DRIVER_REASON 640
const char *driver_reason(const struct outbox_error *error, char reason[DRIVER_REASON]);

/* A store with one session, as the commands use it; not to be moved while it is open. */
struct store_link {
    struct host host;
    const struct outbox_store_ops *ops;
    struct outbox_store *store;     /* NULL: not open */
    struct outbox_session *session; /* NULL: not connected */
};

/* Opens the store, without connecting. */
enum outbox_status store_link_open(struct store_link *link, const struct config *config,
                                   const struct pipeline_config *pipeline,
                                   struct outbox_error *error) __attribute__((warn_unused_result));

/* Connects an open link, within 10 s. */
enum outbox_status store_link_connect(struct store_link *link, struct outbox_error *error)
    __attribute__((warn_unused_result));

/* Makes the connected session the one that maintains the table; UNAVAILABLE: another one is. */
enum outbox_status store_link_maintain(struct store_link *link, struct outbox_error *error)
    __attribute__((warn_unused_result));

/* Disconnects, so that the link may connect again. */
void store_link_disconnect(struct store_link *link);

/* Closes what is open; harmless when nothing is. */
void store_link_close(struct store_link *link);

#endif
