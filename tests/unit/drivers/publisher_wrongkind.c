/*
 * publisher_wrongkind.c - a store in the file of a publisher
 * SPDX-License-Identifier: MIT
 */
#include "store_ops.h"

static const struct outbox_store_ops ops = {OUTBOX_OPS(outbox_store_ops), SAMPLE_STORE_OPS,
                                            .abandon = sample_abandon};

OUTBOX_PLUGIN(OUTBOX_KIND_STORE, .name = "wrongkind", .version = "1", .description = "Lost.",
              .capabilities = OUTBOX_STORE_HOLD, .store = &ops);
