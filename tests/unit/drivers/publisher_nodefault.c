/*
 * publisher_nodefault.c - a publisher with a default that its own bounds forbid
 * SPDX-License-Identifier: MIT
 */
#include "ops.h"

static const struct outbox_option options[] = {{.name = "slots",
                                                .type = OUTBOX_OPTION_INTEGER,
                                                .default_value = "9",
                                                .minimum = 1,
                                                .maximum = 8,
                                                .help = "Slots."}};

static const struct outbox_publisher_ops ops = {SAMPLE_PUBLISHER_OPS, .publish = sample_publish};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "nodefault", .version = "1", .description = "Hasty.",
              .publisher = &ops, OUTBOX_OPTIONS(options));
