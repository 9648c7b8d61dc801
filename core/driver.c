/*
 * driver.c - opens the store and the publisher that a pipeline names
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include "clock.h"
#include "prune.h"

#define CONNECT_TIME (10 * SECOND)

static enum outbox_status failed(struct outbox_error *error, enum outbox_status status)
{
    if (error && !error->text[0])
        (void)snprintf(error->text, sizeof(error->text), "the driver gave no reason");
    return status;
}

static void clear(struct outbox_error *error)
{
    if (error)
        error->native[0] = error->text[0] = '\0';
}

enum outbox_status driver_store_open(struct host *host, const struct config *config,
                                     const struct pipeline_config *pipeline,
                                     struct outbox_store **store, struct outbox_error *error)
{
    const struct outbox_plugin *plugin = pipeline->store.plugin;
    const struct outbox_store_config store_config = {
        .size = sizeof(store_config),
        .mode = pipeline->mode,
        .delete_delivered = pipeline->delete_delivered,
        .relay_id = outbox_slice_of(config->relay_id),
        .settings = &pipeline->store.settings,
    };

    *store = NULL;
    clear(error);
    enum outbox_status status = plugin->store->open(&host->table, &store_config, store, error);
    if (status != OUTBOX_OK) {
        *store = NULL;
        return failed(error, status);
    }
    return OUTBOX_OK;
}

enum outbox_status driver_publisher_open(struct host *host, const struct pipeline_config *pipeline,
                                         struct outbox_publisher **publisher,
                                         struct outbox_error *error)
{
    const struct outbox_plugin *plugin = pipeline->publisher.plugin;

    *publisher = NULL;
    clear(error);
    enum outbox_status status =
        plugin->publisher->open(&host->table, &pipeline->publisher.settings, publisher, error);
    if (status != OUTBOX_OK) {
        *publisher = NULL;
        return failed(error, status);
    }
    return OUTBOX_OK;
}

const char *driver_reason(const struct outbox_error *error, char reason[DRIVER_REASON])
{
    const char *text = error->text[0] ? error->text : "the driver gave no reason";
    bool adds = error->native[0] && !strstr(text, error->native);

    (void)snprintf(reason, DRIVER_REASON, "%s%s%s%s", text, adds ? " (" : "",
                   adds ? error->native : "", adds ? ")" : "");
    return reason;
}

enum outbox_status store_link_open(struct store_link *link, const struct config *config,
                                   const struct pipeline_config *pipeline,
                                   struct outbox_error *error)
{
    host_init(&link->host, pipeline->name, pipeline->store.plugin->name);
    link->ops = pipeline->store.plugin->store;
    link->session = NULL;
    enum outbox_status status =
        driver_store_open(&link->host, config, pipeline, &link->store, error);
    if (status != OUTBOX_OK)
        host_clear(&link->host);
    return status;
}

enum outbox_status store_link_connect(struct store_link *link, struct outbox_error *error)
{
    clear(error);
    enum outbox_status status =
        link->ops->session_open(link->store, clock_now() + CONNECT_TIME, &link->session, error);
    if (status != OUTBOX_OK) {
        link->session = NULL;
        return failed(error, status);
    }
    return OUTBOX_OK;
}

enum outbox_status store_link_maintain(struct store_link *link, struct outbox_error *error)
{
    bool granted = false;
    enum outbox_status status = prune_claim_table(link->ops, link->session, &granted, error);
    if (status != OUTBOX_OK || granted)
        return status;
    return outbox_fail(error, OUTBOX_UNAVAILABLE, "",
                       "another relay or command maintains this table at the moment: leave it to "
                       "that one, or try again later");
}

void store_link_disconnect(struct store_link *link)
{
    if (link->session)
        link->ops->session_close(link->session);
    link->session = NULL;
}

void store_link_close(struct store_link *link)
{
    if (!link->store)
        return;
    store_link_disconnect(link);
    link->ops->close(link->store);
    link->store = NULL;
    host_clear(&link->host);
}
