/*
 * publisher_nohelp.c - a publisher with a property of a message that is not explained
 * SPDX-License-Identifier: MIT
 */
#include "ops.h"

static const struct outbox_publisher_ops ops = {SAMPLE_PUBLISHER_OPS, .publish = sample_publish};

static const struct outbox_option properties[] = {
    {.name = "priority", .help = "How urgent it is."},
    {.name = "expires"},
};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "nohelp", .version = "1", .description = "Is mute.",
              .publisher = &ops, OUTBOX_PROPERTIES(properties));
