/*
 * postgres.c - the driver's descriptor, its settings and its ops
 * SPDX-License-Identifier: MIT
 */
#include "partitions.h"

#include <stdlib.h>

static const struct outbox_option options[] = {
    {.name = "url",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_REQUIRED | OUTBOX_OPTION_SECRET,
     .help =
         "Address of the server, postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full or libpq's "
         "key=value form; every parameter that libpq knows passes through."},
    {.name = "password",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "Password, where it is kept apart from the url; it overrides the url's."},
    {.name = "table",
     .type = OUTBOX_OPTION_TEXT,
     .help =
         "The table, as it is spelled in the database, with its schema if need be: schema.table. "
         "Left out, it is `openoutbox_events` in layout openoutbox and `outbox` in layout velmie; "
         "layout custom needs it."},
    {.name = "layout",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "openoutbox",
     .choices = "openoutbox|velmie|custom",
     .help = "What the table is like; custom is any table with an id, a type and a payload."},
    {.name = "columns",
     .type = OUTBOX_OPTION_MAP,
     .help =
         "Names of columns that are called otherwise than in the layout: {\"payload\": \"body\"}. "
         "In "
         "layout custom it also says which columns there are beside `id`, `type` and `payload`."},
    {.name = "states",
     .type = OUTBOX_OPTION_MAP,
     .help = "Layout custom: what the status column holds, {\"pending\": \"0\", \"delivered\": "
             "\"1\", \"dead\": \"-1\"}; a state that is left out the table does not have. Without "
             "it, the words PENDING, DELIVERING, DELIVERED and DEAD."},
    {.name = "binary_payload",
     .type = OUTBOX_OPTION_BOOL,
     .default_value = "false",
     .help = "Whether init makes the payload bytea, where layout velmie would have json."},
    {.name = "partition",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "none",
     .choices = "none|day|month",
     .help = "Whether init makes a table that is partitioned by created_at, and for how long each "
             "of its first partitions lasts; maintenance.partitions makes the further ones."},
    {.name = "statement_timeout",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "60s",
     .help = "The longest that the server may work on one statement, 0s for no limit."},
    {.name = "wake",
     .type = OUTBOX_OPTION_BOOL,
     .default_value = "true",
     .help = "Whether init also makes the trigger that wakes a sleeping relay."},
};

static void store_free(struct outbox_store *store)
{
    settings_clear(&store->settings);
    names_clear(&store->names);
    watermark_clear(&store->pending);
    watermark_clear(&store->leases);
    holdback_clear(&store->holdback);
    free(store);
}

static enum outbox_status open_store(const struct outbox_host *host,
                                     const struct outbox_store_config *config,
                                     struct outbox_store **opened, struct outbox_error *error)
{
    if (!PQisthreadsafe())
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "this libpq is not built for threads");
    struct outbox_store *store = calloc(1, sizeof(*store));
    if (!store)
        return failure_of_memory(error);
    store->host = host;
    watermark_init(&store->pending);
    watermark_init(&store->leases);
    holdback_init(&store->holdback, HELD_BACK_MAX);
    enum outbox_status status = settings_init(&store->settings, config, error);
    if (status == OUTBOX_OK)
        status = shape_init(store, config->settings, error);
    if (status != OUTBOX_OK) {
        store_free(store);
        return status;
    }
    *opened = store;
    return OUTBOX_OK;
}

static void close_store(struct outbox_store *store)
{
    wake_close(store);
    store_free(store);
}

static enum outbox_status ping(struct outbox_session *session, struct outbox_error *error)
{
    session_enter(session);
    exchange_start(session);
    exchange_text(session, "SELECT 1");
    return exchange_run(session, "ping the server of", error);
}

static enum outbox_status schema(struct outbox_store *store, struct outbox_session *session,
                                 uint32_t action, outbox_schema_line *emit, void *context,
                                 struct outbox_error *error)
{
    if (session)
        session_enter(session);
    else if (action != OUTBOX_SCHEMA_PRINT)
        return outbox_fail(error, OUTBOX_INVALID, "", "schema of %s: a session is needed",
                           store->names.table);
    return schema_act(store, session, action, emit, context, error);
}

static enum outbox_status claim(struct outbox_session *session,
                                const struct outbox_claim_request *request,
                                struct outbox_claim **taken, struct outbox_error *error)
{
    session_enter(session);
    return claim_take(session, request, taken, error);
}

static enum outbox_status settle(struct outbox_session *session,
                                 const struct outbox_settle_request *request,
                                 struct outbox_settle_result *result, struct outbox_error *error)
{
    session_enter(session);
    return settle_apply(session, request, result, error);
}

static enum outbox_status settle_and_claim(struct outbox_session *session,
                                           const struct outbox_settle_request *request,
                                           struct outbox_settle_result *result,
                                           const struct outbox_claim_request *next,
                                           struct outbox_claim **taken, struct outbox_error *error)
{
    session_enter(session);
    return settle_and_take(session, request, result, next, taken, error);
}

static enum outbox_status abandon(struct outbox_session *session, struct outbox_claim *taken,
                                  struct outbox_error *error)
{
    session_enter(session);
    return claim_abandon(session, taken, error);
}

static enum outbox_status renew(struct outbox_session *session, struct outbox_slice token,
                                uint64_t expected, struct outbox_settle_result *result,
                                struct outbox_error *error)
{
    session_enter(session);
    return lease_renew(session, token, expected, result, error);
}

static enum outbox_status reap(struct outbox_session *session,
                               const struct outbox_reap_request *request,
                               struct outbox_reap_result *result, struct outbox_error *error)
{
    session_enter(session);
    return lease_reap(session, request, result, error);
}

static enum outbox_status enqueue(struct outbox_session *session,
                                  const struct outbox_enqueue_request *request,
                                  struct outbox_error *error)
{
    session_enter(session);
    return enqueue_events(session, request, error);
}

static enum outbox_status stats(struct outbox_session *session, struct outbox_store_stats *counts,
                                struct outbox_error *error)
{
    session_enter(session);
    return stats_read(session, counts, error);
}

static enum outbox_status holders(struct outbox_session *session, outbox_holder_seen *emit,
                                  void *context, uint32_t *partial, struct outbox_error *error)
{
    session_enter(session);
    return holders_read(session, emit, context, partial, error);
}

static enum outbox_status prune(struct outbox_session *session,
                                const struct outbox_prune_request *request,
                                struct outbox_prune_result *result, struct outbox_error *error)
{
    session_enter(session);
    return prune_events(session, request, result, error);
}

static enum outbox_status maintain(struct outbox_session *session, uint32_t wanted,
                                   uint32_t *granted, struct outbox_error *error)
{
    session_enter(session);
    return prune_maintain(session, wanted, granted, error);
}

static enum outbox_status partitions(struct outbox_session *session,
                                     const struct outbox_partition_request *request,
                                     outbox_partition_change *emit, void *context,
                                     struct outbox_error *error)
{
    session_enter(session);
    return partitions_tend(session, request, emit, context, error);
}

static const struct outbox_store_ops ops = {
    OUTBOX_OPS(outbox_store_ops),
    .open = open_store,
    .close = close_store,
    .session_open = session_connect,
    .session_close = session_disconnect,
    .interrupt = session_interrupt,
    .ping = ping,
    .schema = schema,
    .claim = claim,
    .settle = settle,
    .settle_and_claim = settle_and_claim,
    .claim_close = claim_return,
    .abandon = abandon,
    .renew = renew,
    .reap = reap,
    .enqueue = enqueue,
    .stats = stats,
    .wake_arm = wake_arm,
    .wake_disarm = wake_disarm,
    .prune = prune,
    .maintain = maintain,
    .partitions = partitions,
    .holders = holders,
};

OUTBOX_PLUGIN(OUTBOX_KIND_STORE, .name = "postgres", .version = "0.1.0",
              .description = "PostgreSQL 14 and later, through libpq",
              .capabilities = OUTBOX_STORE_LEASE | OUTBOX_STORE_HOLD | OUTBOX_STORE_WAKE,
              OUTBOX_OPTIONS(options), .store = &ops);
