/*
 * publisher_sample.c - a publisher with nothing to set
 * SPDX-License-Identifier: MIT
 */
#include "ops.h"

static const struct outbox_publisher_ops ops = {SAMPLE_PUBLISHER_OPS, .publish = sample_publish};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "sample", .version = "1", .description = "A sample.",
              .publisher = &ops);
