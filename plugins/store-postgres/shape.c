/*
 * shape.c - what the configuration says the table is like, and whether that can be relayed from
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

static bool is_named(const struct outbox_store *store, enum role role)
{
    return store->names.column[role] != NULL;
}

static enum outbox_status read_states(struct outbox_store *store,
                                      const struct outbox_setting *states,
                                      struct outbox_error *error)
{
    store->states = *store->layout->states;
    if (!states)
        return OUTBOX_OK;
    if (!store->layout->is_open)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "states: the %s layout has its own; they are only for layout custom",
                           store->layout->name);
    if (!is_named(store, ROLE_STATUS))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "states: which column holds them? Name it in columns.status");
    return states_parse(&store->states, states, error);
}

static enum outbox_status check_keep(const struct outbox_store *store, struct outbox_error *error)
{
    if (store->settings.delete_delivered)
        return OUTBOX_OK;
    if (!is_named(store, ROLE_STATUS))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "delivered: a delivered event cannot be kept in a table without a "
                           "status column: say \"delivered\": \"delete\", or name the column in "
                           "columns.status");
    if (!states_have(&store->states, STATE_DELIVERED))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "states.delivered: is missing: what does the status column hold for an "
                           "event that is done? Or say \"delivered\": \"delete\"");
    return OUTBOX_OK;
}

static enum outbox_status check_lease(const struct outbox_store *store, struct outbox_error *error)
{
    if (store->settings.mode != OUTBOX_MODE_LEASE)
        return OUTBOX_OK;
    if (!store->layout->leased)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "claim.mode: the %s layout has no columns for leases: say \"claim\": "
                           "{\"mode\": \"hold\"}",
                           store->layout->name);
    for (int role = 0; role < ROLE_COUNT; role++)
        if (store->layout->leased & ROLE_BIT(role) && !is_named(store, (enum role)role))
            return outbox_fail(error, OUTBOX_INVALID, "",
                               "claim.mode: a lease needs the column %s: name it in columns.%s, or "
                               "say \"claim\": {\"mode\": \"hold\"}",
                               role_name((enum role)role), role_name((enum role)role));
    if (!states_have(&store->states, STATE_DELIVERING) || !states_have(&store->states, STATE_DEAD))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "states: a lease needs delivering and dead: name both, or say "
                           "\"claim\": {\"mode\": \"hold\"}");
    return OUTBOX_OK;
}

static enum outbox_status check_partition(const struct outbox_store *store,
                                          struct outbox_error *error)
{
    if (!store->settings.partition)
        return OUTBOX_OK;
    if (!store->layout->is_upgraded && !store->layout->is_open)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "partition: init makes no partitioned table of the %s layout, for "
                           "PostgreSQL partitions by no generated column: make one by hand, and "
                           "leave this out",
                           store->layout->name);
    if (!is_named(store, ROLE_CREATED_AT))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "partition: by which column? Name it in columns.created_at");
    return OUTBOX_OK;
}

enum outbox_status shape_init(struct outbox_store *store, const struct outbox_settings *values,
                              struct outbox_error *error)
{
    const char *name = outbox_setting_text(values, "layout", "openoutbox");
    store->layout = layout_find(name);
    if (!store->layout)
        return outbox_fail(error, OUTBOX_INVALID, "", "layout: \"%s\" is unknown", name);
    enum outbox_status status =
        names_init(&store->names, store->layout, outbox_setting_text(values, "table", NULL),
                   outbox_setting_find(values, "columns"), error);
    if (status == OUTBOX_OK)
        status = read_states(store, outbox_setting_find(values, "states"), error);
    if (status == OUTBOX_OK)
        status = check_keep(store, error);
    if (status == OUTBOX_OK)
        status = check_lease(store, error);
    return status == OUTBOX_OK ? check_partition(store, error) : status;
}

bool shape_requires(const struct outbox_store *store, enum role role)
{
    if (!is_named(store, role))
        return false;
    if (store->layout->is_open)
        return true; /* it was named, or is one of the three */
    uint32_t required = store->layout->required;
    if (store->settings.mode == OUTBOX_MODE_LEASE)
        required |= store->layout->leased;
    return required & ROLE_BIT(role);
}
