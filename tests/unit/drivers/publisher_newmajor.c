/*
 * publisher_newmajor.c - a publisher for a later major version of the interface
 * SPDX-License-Identifier: MIT
 */
#include "ops.h"

static const struct outbox_publisher_ops ops = {SAMPLE_PUBLISHER_OPS, .publish = sample_publish};

static const struct outbox_plugin plugin = {
    .size = sizeof(struct outbox_plugin),
    .abi_major = OUTBOX_ABI_MAJOR + 1,
    .abi_minor = 3,
    .kind = OUTBOX_KIND_PUBLISHER,
    .name = "newmajor",
    .version = "1",
    .description = "Too new.",
    .publisher = &ops,
};

const struct outbox_plugin *outbox_plugin_entry(const struct outbox_host *host)
{
    (void)host;
    return &plugin;
}
