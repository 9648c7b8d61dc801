/*
 * plugin.c - store-sqlite: its ops, opening and closing
 * SPDX-License-Identifier: MIT
 */
#include "claim.h"
#include "failure.h"
#include "ops.h"
#include "settings.h"
#include "settle.h"

#include <outbox/plugin.h>
#include <stdlib.h>

static void store_close(struct outbox_store *store)
{
    wake_clear(&store->wake);
    holdback_clear(&store->holdback);
    free(store->path);
    free(store);
}

static enum outbox_status store_open(const struct outbox_host *host,
                                     const struct outbox_store_config *config,
                                     struct outbox_store **store, struct outbox_error *error)
{
    struct outbox_store *made = calloc(1, sizeof(*made));
    if (!made)
        return failure_no_memory("open the store", error);
    made->host = host;
    wake_init(&made->wake);
    holdback_init(&made->holdback, HELD_BACK_MAX);
    enum outbox_status status = settings_init(made, config, error);
    if (status == OUTBOX_OK)
        *store = made;
    else
        store_close(made);
    return status;
}

static const struct outbox_store_ops ops = {
    OUTBOX_OPS(outbox_store_ops),
    .open = store_open,
    .close = store_close,
    .session_open = session_open,
    .session_close = session_close,
    .interrupt = session_interrupt,
    .ping = session_ping,
    .schema = store_schema,
    .claim = store_claim,
    .settle = store_settle,
    .settle_and_claim = store_settle_and_claim,
    .claim_close = store_claim_close,
    .abandon = store_abandon,
    .renew = store_renew,
    .reap = store_reap,
    .enqueue = store_enqueue,
    .stats = store_stats,
    .wake_arm = wake_arm,
    .wake_disarm = wake_disarm,
    .prune = store_prune,
    .holders = store_holders,
};

OUTBOX_PLUGIN(OUTBOX_KIND_STORE, .name = "sqlite", .version = "0.1.0",
              .description = "SQLite, for producers and relay on one machine",
              .capabilities = OUTBOX_STORE_LEASE | OUTBOX_STORE_HOLD | OUTBOX_STORE_WAKE,
              .store = &ops, OUTBOX_OPTIONS(settings_options));
