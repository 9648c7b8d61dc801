/*
 * shape.c - what the configuration says the table is like, and whether that can be relayed from
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"
#include "layout_rules.h"

static bool is_named(const struct outbox_store *store, enum role role)
{
    return store->names.column[role] != NULL;
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
        .deletes = store->settings.delete_delivered,
        .leases = store->settings.mode == OUTBOX_MODE_LEASE,
        .can_lease = store->layout->leased != 0,
        .lease_lacks = lease_lacks(store),
    };
    enum outbox_status status =
        layout_rules_states(&rules, store->layout->states, states, &store->states, error);
    return status == OUTBOX_OK ? layout_rules_check(&rules, &store->states, error) : status;
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
        status = apply_rules(store, outbox_setting_find(values, "states"), error);
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
