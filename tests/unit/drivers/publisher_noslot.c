/*
 * publisher_noslot.c - a publisher that cannot publish
 * SPDX-License-Identifier: MIT
 */
#include "ops.h"

static const struct outbox_publisher_ops ops = {SAMPLE_PUBLISHER_OPS};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "noslot", .version = "1", .description = "Mute.",
              .publisher = &ops);
