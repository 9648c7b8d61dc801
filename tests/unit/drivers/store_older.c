/*
 * store_older.c - a store built when the tables were shorter
 * SPDX-License-Identifier: MIT
 */
#include "store_ops.h"

#include <stddef.h>

/* Behind what the tables had then stands what must not be looked at. */
static const struct outbox_store_ops ops = {
    .size = offsetof(struct outbox_store_ops, enqueue),
    SAMPLE_STORE_OPS,
    .abandon = sample_abandon,
    .enqueue = (void *)8,
    .stats = (void *)8,
    .wake_arm = (void *)8,
    .wake_disarm = (void *)8,
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
    .publisher = (void *)8,
};

const struct outbox_plugin *outbox_plugin_entry(const struct outbox_host *host)
{
    (void)host;
    return &plugin;
}
