/*
 * publisher_noversion.c - a publisher that does not tell its version
 * SPDX-License-Identifier: MIT
 */
#include "ops.h"

static const struct outbox_publisher_ops ops = {SAMPLE_PUBLISHER_OPS, .publish = sample_publish};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "noversion", .description = "Shy.", .publisher = &ops);
