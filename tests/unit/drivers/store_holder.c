/*
 * store_holder.c - a store without leases
 * SPDX-License-Identifier: MIT
 */
#include "store_ops.h"

static const struct outbox_store_ops ops = {OUTBOX_OPS(outbox_store_ops), SAMPLE_STORE_OPS,
                                            .abandon = sample_abandon};

OUTBOX_PLUGIN(OUTBOX_KIND_STORE, .name = "holder", .version = "1", .description = "Holds.",
              .capabilities = OUTBOX_STORE_HOLD, .store = &ops);
