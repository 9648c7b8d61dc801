/*
 * settings.c - what the configuration says of the store, checked
 * SPDX-License-Identifier: MIT
 */
#include "settings.h"

#include "failure.h"
#include "layout_rules.h"

const struct outbox_option settings_options[SETTINGS_COUNT] = {
    {.name = "url",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_REQUIRED,
     .help = "The database file, as sqlite:PATH."},
    {.name = "table",
     .type = OUTBOX_OPTION_TEXT,
     .help =
         "The table that events are relayed from. Left out, it is `openoutbox_events` in layout "
         "openoutbox and `outbox` in layout velmie; layout custom needs it."},
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
     .help = "Whether init makes the payload BLOB, where layout velmie would have JSON text."},
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

/* ---- The address -------------------------------------------------------------------------- */

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

/* ---- The table ---------------------------------------------------------------------------- */

static bool is_named(const struct outbox_store *store, enum role role)
{
    return columns_have(&store->columns, role);
}

static const char *lease_lacks(const struct outbox_store *store)
{
    for (int role = 0; role < ROLE_COUNT; role++)
        if (store->layout->leased & ROLE_BIT(role) && !is_named(store, (enum role)role))
            return role_name((enum role)role);
    return NULL;
}

static enum outbox_status apply_rules(struct outbox_store *store,
                                      const struct outbox_setting *states,
                                      struct outbox_error *error)
{
    const struct layout_rules rules = {
        .layout = store->layout->name,
        .is_open = store->layout->is_open,
        .has_status = is_named(store, ROLE_STATUS),
        .deletes = store->delete_delivered,
        .leases = store->lease,
        .can_lease = store->layout->leased != 0,
        .lease_lacks = lease_lacks(store),
    };
    enum outbox_status status =
        layout_rules_states(&rules, store->layout->states, states, &store->states, error);
    return status == OUTBOX_OK ? layout_rules_check(&rules, &store->states, error) : status;
}

static enum outbox_status read_table(struct outbox_store *store,
                                     const struct outbox_settings *settings,
                                     struct outbox_error *error)
{
    const char *name = outbox_setting_text(settings, "layout", "openoutbox");
    store->layout = layout_find(name);
    if (!store->layout)
        return outbox_fail(error, OUTBOX_INVALID, "", "layout: \"%.60s\" is unknown", name);
    enum outbox_status status =
        columns_init(&store->columns, store->layout, outbox_setting_text(settings, "table", NULL),
                     outbox_setting_find(settings, "columns"), error);
    return status == OUTBOX_OK ? apply_rules(store, outbox_setting_find(settings, "states"), error)
                               : status;
}

/* ---- All of it ---------------------------------------------------------------------------- */

static enum outbox_status check_config(const struct outbox_store_config *config,
                                       struct outbox_error *error)
{
    if (config->mode != OUTBOX_MODE_LEASE && config->mode != OUTBOX_MODE_HOLD)
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "claim mode %u is unknown to this driver",
                           config->mode);
    if (sqlite3_threadsafe() == 0)
        return outbox_fail(error, OUTBOX_UNSUPPORTED, "",
                           "this libsqlite3 (%s) was built without threads; install another",
                           sqlite3_libversion());
    return OUTBOX_OK;
}

enum outbox_status settings_init(struct outbox_store *store,
                                 const struct outbox_store_config *config,
                                 struct outbox_error *error)
{
    const struct outbox_settings *settings = config->settings;
    const char *path = NULL;
    enum outbox_status status = check_config(config, error);
    if (status == OUTBOX_OK)
        status = path_of(outbox_setting_text(settings, "url", NULL), &path, error);
    if (status != OUTBOX_OK)
        return status;
    store->lease = config->mode == OUTBOX_MODE_LEASE;
    store->delete_delivered = config->delete_delivered != 0;
    store->busy_timeout = outbox_setting_integer(settings, "busy_timeout", INT64_C(5000000000));
    store->sync_full = strcmp(outbox_setting_text(settings, "synchronous", "full"), "full") == 0;
    store->secure_delete = outbox_setting_integer(settings, "secure_delete", 0) != 0;
    store->binary_payload = outbox_setting_integer(settings, "binary_payload", 0) != 0;
    status = read_table(store, settings, error);
    if (status != OUTBOX_OK)
        return status;
    store->path = strdup(path);
    return store->path ? OUTBOX_OK : failure_no_memory("open the store", error);
}
