/*
 * store_older.c - a store built when the tables were shorter
 * SPDX-License-Identifier: MIT
 */
#include "store_ops.h"

#include <stddef.h>
#include <stdlib.h>

/* Stands behind what the tables had then, where nobody must look. */
static enum outbox_status later_stats(struct outbox_session *session,
                                      struct outbox_store_stats *stats, struct outbox_error *error)
{
    (void)session, (void)stats, (void)error;
    abort();
}

static void later_wake_disarm(struct outbox_store *store)
{
    (void)store;
    abort();
}

static const struct outbox_publisher_ops later_publisher = {0};

static const struct outbox_store_ops ops = {
    .size = offsetof(struct outbox_store_ops, enqueue),
    SAMPLE_STORE_OPS,
    .abandon = sample_abandon,
    .stats = later_stats,
    .wake_disarm = later_wake_disarm,
};

static const struct outbox_plugin plugin = {
    .size = offsetof(struct outbox_plugin, publisher),
    .abi_major = OUTBOX_ABI_MAJOR,
    .abi_minor = OUTBOX_ABI_MINOR,
    .kind = OUTBOX_KIND_STORE,
    .name = "older",
    .version = "1",
    .description = "From an earlier time.",
    .capabilities = OUTBOX_STORE_HOLD,
    .store = &ops,
    .publisher = &later_publisher,
};

const struct outbox_plugin *outbox_plugin_entry(const struct outbox_host *host)
{
    (void)host;
    return &plugin;
}
