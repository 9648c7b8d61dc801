/*
 * store_careless.c - a store that declares leases, and wakes, without their operations
 * SPDX-License-Identifier: MIT
 */
#include "store_ops.h"

static const struct outbox_store_ops ops = {OUTBOX_OPS(outbox_store_ops), SAMPLE_STORE_OPS,
                                            .reap = sample_reap};

OUTBOX_PLUGIN(OUTBOX_KIND_STORE, .name = "careless", .version = "1", .description = "Forgets.",
              .capabilities = OUTBOX_STORE_LEASE | OUTBOX_STORE_WAKE, .store = &ops);
