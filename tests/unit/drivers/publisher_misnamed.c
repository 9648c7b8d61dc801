/*
 * publisher_misnamed.c - a publisher whose file has another name
 * SPDX-License-Identifier: MIT
 */
#include "ops.h"

static const struct outbox_publisher_ops ops = {SAMPLE_PUBLISHER_OPS, .publish = sample_publish};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "original", .version = "1", .description = "Renamed.",
              .publisher = &ops);
