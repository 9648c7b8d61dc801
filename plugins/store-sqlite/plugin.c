/*
 * plugin.c - store-sqlite: its options, its ops, opening and closing
 * SPDX-License-Identifier: MIT
 */
#include "claim.h"
#include "failure.h"
#include "ops.h"
#include "settle.h"

#include <outbox/plugin.h>
#include <stdlib.h>

static const struct outbox_option options[] = {
    {.name = "url",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_REQUIRED,
     .help = "The database file, as sqlite:PATH."},
    {.name = "table",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "openoutbox_events",
     .help = "The table that events are relayed from."},
    {.name = "layout",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "openoutbox",
     .choices = "openoutbox",
     .help = "What the table's columns mean."},
    {.name = "columns",
     .type = OUTBOX_OPTION_MAP,
     .help = "Columns that are called otherwise than in the layout: {\"payload\": \"body\"}."},
    {.name = "busy_timeout",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "5s",
     .maximum = 3600e9,
     .minimum = 1e6,
     .help = "How long to wait for the database's write lock before the store counts as away."},
    {.name = "synchronous",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "full",
     .choices = "normal|full",
     .help = "full: a claim or settle is on the disk before it counts. normal: a loss of power may "
             "undo the "
             "last of them, which relays events twice and loses none."},
    {.name = "secure_delete",
     .type = OUTBOX_OPTION_BOOL,
     .default_value = "false",
     .help =
         "Overwrite with zeros what a changed or deleted row leaves behind in the file; costs a "
         "tenth of the speed."},
};

/* Of an address of another kind only this much is shown: the rest may hold a password. */
static int scheme_length(const char *url)
{
    size_t len = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    return len <= 20 && strncmp(url + len, "://", 3) == 0 ? (int)len : 0;
}

static enum outbox_status refuse_scheme(const char *url, struct outbox_error *error)
{
    int len = url ? scheme_length(url) : 0;
    return outbox_fail(error, OUTBOX_INVALID, "",
                       "url: %s%.*s%s; it must be sqlite:PATH, as sqlite:/var/lib/app/app.db",
                       len ? "found one of the kind \"" : "it does not begin with sqlite:", len,
                       len ? url : "", len ? "\"" : "");
}

static enum outbox_status path_of(const char *url, const char **path, struct outbox_error *error)
{
    static const char scheme[] = "sqlite:";
    const size_t len = sizeof(scheme) - 1;
    if (!url || strncmp(url, scheme, len) != 0)
        return refuse_scheme(url, error);
    const char *found = url + len;
    if (strncmp(found, "//", 2) == 0) /* sqlite:///var/lib/app.db: no host, then the path */
        found += 2;
    if (*found == '\0' || strcmp(found, ":memory:") == 0)
        return outbox_fail(
            error, OUTBOX_INVALID, "",
            "url: \"%.200s\" names no file; producers and the relay share one by its path", url);
    *path = found;
    return OUTBOX_OK;
}

static enum outbox_status check_config(const struct outbox_store_config *config,
                                       struct outbox_error *error)
{
    if (config->mode != OUTBOX_MODE_LEASE)
        return outbox_fail(
            error, OUTBOX_UNSUPPORTED, "",
            "claim.mode: SQLite has one write lock, and \"hold\" would keep every producer "
            "out while events are published; use \"lease\"");
    if (sqlite3_threadsafe() == 0)
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "",
                           "this libsqlite3 (%s) was built without threads; install another",
                           sqlite3_libversion());
    return OUTBOX_OK;
}

static void store_close(struct outbox_store *store)
{
    wake_clear(&store->wake);
    free(store->path);
    free(store);
}

static enum outbox_status store_init(struct outbox_store *store,
                                     const struct outbox_store_config *config,
                                     struct outbox_error *error)
{
    const struct outbox_settings *settings = config->settings;
    const char *path = NULL;
    enum outbox_status status = path_of(outbox_setting_text(settings, "url", NULL), &path, error);
    if (status == OUTBOX_OK)
        status = columns_init(&store->columns,
                              outbox_setting_text(settings, "table", "openoutbox_events"),
                              outbox_setting_find(settings, "columns"), error);
    if (status != OUTBOX_OK)
        return status;
    store->path = strdup(path);
    store->busy_timeout = outbox_setting_integer(settings, "busy_timeout", INT64_C(5000000000));
    store->sync_full = strcmp(outbox_setting_text(settings, "synchronous", "full"), "full") == 0;
    store->secure_delete = outbox_setting_integer(settings, "secure_delete", 0) != 0;
    store->delete_delivered = config->delete_delivered != 0;
    return store->path ? OUTBOX_OK : failure_no_memory("open the store", error);
}

static enum outbox_status store_open(const struct outbox_host *host,
                                     const struct outbox_store_config *config,
                                     struct outbox_store **store, struct outbox_error *error)
{
    enum outbox_status status = check_config(config, error);
    if (status != OUTBOX_OK)
        return status;
    struct outbox_store *made = calloc(1, sizeof(*made));
    if (!made)
        return failure_no_memory("open the store", error);
    made->host = host;
    wake_init(&made->wake);
    status = store_init(made, config, error);
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
    .renew = store_renew,
    .reap = store_reap,
    .enqueue = store_enqueue,
    .stats = store_stats,
    .wake_arm = wake_arm,
    .wake_disarm = wake_disarm,
    .prune = store_prune,
};

OUTBOX_PLUGIN(OUTBOX_KIND_STORE, .name = "sqlite", .version = "0.1.0",
              .description = "SQLite, for producers and relay on one machine",
              .capabilities = OUTBOX_STORE_LEASE | OUTBOX_STORE_WAKE, .store = &ops,
              OUTBOX_OPTIONS(options));
