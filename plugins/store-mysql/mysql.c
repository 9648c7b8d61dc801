/*
 * mysql.c - the driver's descriptor, its settings and its ops
 * SPDX-License-Identifier: MIT
 */
#include "partitions.h"

#include <stdlib.h>

static const struct outbox_option options[] = {
    {.name = "url",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_REQUIRED | OUTBOX_OPTION_SECRET,
     .help = "Address of the server, mysql://USER:PASSWORD@HOST:PORT/DATABASE, with ?socket=PATH "
             "for a unix socket and ?ssl-mode=VERIFY_IDENTITY or DISABLED as `tls`."},
    {.name = "password",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "Password, where it is kept apart from the url; it overrides the url's."},
    {.name = "tls",
     .type = OUTBOX_OPTION_CHOICE,
     .choices = "verified|off",
     .help = "Whether TLS proves who the server is, or is not used; verified unless "
             "the server is reached through a unix socket or on this machine."},
    {.name = "tls_ca",
     .type = OUTBOX_OPTION_TEXT,
     .help = "File with the certificates of the authorities to trust; those of the system if it is "
             "not set."},
    {.name = "tls_certificate",
     .type = OUTBOX_OPTION_TEXT,
     .help = "File with the relay's own certificate, for servers that ask for one."},
    {.name = "tls_key",
     .type = OUTBOX_OPTION_TEXT,
     .help = "File with the key of the relay's own certificate."},
    {.name = "table",
     .type = OUTBOX_OPTION_TEXT,
     .help = "The table, as it is spelled in the database, with its database if need be: "
             "database.table. Left out, it is `openoutbox_events` in layout openoutbox and "
             "`outbox` in layout velmie; layout custom needs it."},
    {.name = "layout",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "openoutbox",
     .choices = "openoutbox|velmie|custom",
     .help = "What the table is like; custom is any table with an id, a type and a payload."},
    {.name = "columns",
     .type = OUTBOX_OPTION_MAP,
     .help =
         "Names of columns that are called otherwise than in the layout: {\"payload\": \"body\"}. "
         "In layout custom it also says which columns there are beside `id`, `type` and "
         "`payload`."},
    {.name = "states",
     .type = OUTBOX_OPTION_MAP,
     .help = "Layout custom: what the status column holds, {\"pending\": \"0\", \"delivered\": "
             "\"1\", \"dead\": \"-1\"}; a state that is left out the table does not have. Without "
             "it, the words PENDING, DELIVERING, DELIVERED and DEAD."},
    {.name = "binary_payload",
     .type = OUTBOX_OPTION_BOOL,
     .default_value = "false",
     .help = "Whether init makes the payload LONGBLOB, where layout velmie would have JSON."},
    {.name = "partition",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "none",
     .choices = "none|day|month",
     .help = "Whether init partitions a new table by created_ts, which layout velmie has, and into "
             "partitions of what length."},
    {.name = "partition_window",
     .type = OUTBOX_OPTION_DURATION,
     .help = "Of a partitioned table: claims look only at events created within that time, so that "
             "older partitions are not read; older events are then never claimed. Without it, "
             "claims look at all of them."},
    {.name = "statement_timeout",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "60s",
     .help = "The longest that the server may work on one statement, 0s for no limit."},
};

static void store_free(struct outbox_store *store)
{
    settings_clear(&store->settings);
    names_clear(&store->names);
    watermark_clear(&store->pending);
    turn_clear(&store->looking);
    watermark_clear(&store->leases);
    holdback_clear(&store->holdback);
    free(store);
}

static enum outbox_status read_settings(struct outbox_store *store,
                                        const struct outbox_store_config *config,
                                        struct outbox_error *error)
{
    enum outbox_status status = settings_init(&store->settings, config, error);
    if (status == OUTBOX_OK)
        status = shape_init(store, config->settings, error);
    if (status == OUTBOX_OK && !store->names.schema && !store->settings.address.database)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "url: it names no database, and `table` neither: write "
                           "mysql://USER@HOST/DATABASE or database.table");
    return status;
}

static enum outbox_status open_store(const struct outbox_host *host,
                                     const struct outbox_store_config *config,
                                     struct outbox_store **opened, struct outbox_error *error)
{
    if (!client_init())
        return outbox_fail(error, OUTBOX_INTERNAL, "", "ready " CLIENT_LIBRARY ": it failed");
    struct outbox_store *store = calloc(1, sizeof(*store));
    if (!store)
        return failure_of_memory(error);
    store->host = host;
    watermark_init(&store->pending);
    turn_init(&store->looking);
    watermark_init(&store->leases);
    holdback_init(&store->holdback, HELD_BACK_MAX);
    enum outbox_status status = read_settings(store, config, error);
    if (status != OUTBOX_OK) {
        store_free(store);
        return status;
    }
    *opened = store;
    return OUTBOX_OK;
}

/* ---- Ops, each entered and left ----------------------------------------------------------- */

static enum outbox_status ping_server(struct outbox_session *session, struct outbox_error *error)
{
    if (session->lost)
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "2013",
                           "ping the server of %s: the "
                           "connection is lost",
                           session->store->names.table);
    if (mysql_ping(session->client) == 0)
        return OUTBOX_OK;
    return failure_of_server(session, mysql_errno(session->client), mysql_error(session->client),
                             "ping the server of", error);
}

static enum outbox_status ping(struct outbox_session *session, struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = ping_server(session, error);
    session_leave(session);
    return status;
}

static enum outbox_status schema(struct outbox_store *store, struct outbox_session *session,
                                 uint32_t action, outbox_schema_line *emit, void *context,
                                 struct outbox_error *error)
{
    if (!session && action != OUTBOX_SCHEMA_PRINT)
        return outbox_fail(error, OUTBOX_INVALID, "", "schema of %s: a session is needed",
                           store->names.table);
    if (session)
        session_enter(session);
    enum outbox_status status = schema_act(store, session, action, emit, context, error);
    if (session)
        session_leave(session);
    return status;
}

static enum outbox_status claim(struct outbox_session *session,
                                const struct outbox_claim_request *request,
                                struct outbox_claim **taken, struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = claim_take(session, request, taken, error);
    session_leave(session);
    return status;
}

static enum outbox_status settle(struct outbox_session *session,
                                 const struct outbox_settle_request *request,
                                 struct outbox_settle_result *result, struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = settle_apply(session, request, result, error);
    session_leave(session);
    return status;
}

static enum outbox_status settle_and_claim(struct outbox_session *session,
                                           const struct outbox_settle_request *request,
                                           struct outbox_settle_result *result,
                                           const struct outbox_claim_request *next,
                                           struct outbox_claim **taken, struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = settle_and_take(session, request, result, next, taken, error);
    session_leave(session);
    return status;
}

static enum outbox_status abandon(struct outbox_session *session, struct outbox_claim *taken,
                                  struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = claim_abandon(session, taken, error);
    session_leave(session);
    return status;
}

static enum outbox_status renew(struct outbox_session *session, struct outbox_slice token,
                                uint64_t expected, struct outbox_settle_result *result,
                                struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = lease_renew(session, token, expected, result, error);
    session_leave(session);
    return status;
}

static enum outbox_status reap(struct outbox_session *session,
                               const struct outbox_reap_request *request,
                               struct outbox_reap_result *result, struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = lease_reap(session, request, result, error);
    session_leave(session);
    return status;
}

static enum outbox_status enqueue(struct outbox_session *session,
                                  const struct outbox_enqueue_request *request,
                                  struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = enqueue_events(session, request, error);
    session_leave(session);
    return status;
}

static enum outbox_status stats(struct outbox_session *session, struct outbox_store_stats *counts,
                                struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = stats_read(session, counts, error);
    session_leave(session);
    return status;
}

static enum outbox_status holders(struct outbox_session *session, outbox_holder_seen *emit,
                                  void *context, uint32_t *partial, struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = holders_read(session, emit, context, partial, error);
    session_leave(session);
    return status;
}

static enum outbox_status prune(struct outbox_session *session,
                                const struct outbox_prune_request *request,
                                struct outbox_prune_result *result, struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = prune_events(session, request, result, error);
    session_leave(session);
    return status;
}

static enum outbox_status maintain(struct outbox_session *session, uint32_t wanted,
                                   uint32_t *granted, struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = prune_maintain(session, wanted, granted, error);
    session_leave(session);
    return status;
}

static enum outbox_status partitions(struct outbox_session *session,
                                     const struct outbox_partition_request *request,
                                     outbox_partition_change *emit, void *context,
                                     struct outbox_error *error)
{
    session_enter(session);
    enum outbox_status status = partitions_tend(session, request, emit, context, error);
    session_leave(session);
    return status;
}

static const struct outbox_store_ops ops = {
    OUTBOX_OPS(outbox_store_ops),
    .open = open_store,
    .close = store_free,
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
    .prune = prune,
    .maintain = maintain,
    .partitions = partitions,
    .holders = holders,
};

OUTBOX_PLUGIN(OUTBOX_KIND_STORE, .name = "mysql", .version = "0.1.0",
              .description = "MySQL 8.0 and later, MariaDB 10.6 and later, through " CLIENT_LIBRARY,
              .capabilities = OUTBOX_STORE_LEASE | OUTBOX_STORE_HOLD, OUTBOX_OPTIONS(options),
              .store = &ops);
