/*
 * layout_rules.c - which configurations a layout can do with, whatever the database
 * SPDX-License-Identifier: MIT
 */
#include "layout_rules.h"

enum outbox_status layout_rules_states(const struct layout_rules *rules, const struct states *own,
                                       const struct outbox_setting *setting, struct states *states,
                                       struct outbox_error *error)
{
    *states = *own;
    if (!setting)
        return OUTBOX_OK;
    if (!rules->is_open)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "states: the %s layout has its own; they are only for layout custom",
                           rules->layout);
    if (!rules->has_status)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "states: which column holds them? Name it in columns.status");
    return states_parse(states, setting, error);
}

static enum outbox_status check_keep(const struct layout_rules *rules, const struct states *states,
                                     struct outbox_error *error)
{
    if (rules->deletes)
        return OUTBOX_OK;
    if (!rules->has_status)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "delivered: a delivered event cannot be kept in a table without a "
                           "status column: say \"delivered\": \"delete\", or name the column in "
                           "columns.status");
    if (!states_have(states, STATE_DELIVERED))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "states.delivered: is missing: what does the status column hold for an "
                           "event that is done? Or say \"delivered\": \"delete\"");
    return OUTBOX_OK;
}

static enum outbox_status check_lease(const struct layout_rules *rules, const struct states *states,
                                      struct outbox_error *error)
{
    if (!rules->leases)
        return OUTBOX_OK;
    if (!rules->can_lease)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "claim.mode: the %s layout has no columns for leases: say \"claim\": "
                           "{\"mode\": \"hold\"}",
                           rules->layout);
    if (rules->lease_lacks)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "claim.mode: a lease needs the column %s: name it in columns.%s, or "
                           "say \"claim\": {\"mode\": \"hold\"}",
                           rules->lease_lacks, rules->lease_lacks);
    if (!states_have(states, STATE_DELIVERING) || !states_have(states, STATE_DEAD))
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "states: a lease needs delivering and dead: name both, or say "
                           "\"claim\": {\"mode\": \"hold\"}");
    return OUTBOX_OK;
}

enum outbox_status layout_rules_check(const struct layout_rules *rules, const struct states *states,
                                      struct outbox_error *error)
{
    enum outbox_status status = check_keep(rules, states, error);
    return status == OUTBOX_OK ? check_lease(rules, states, error) : status;
}
