/*
 * layout_rules.h - which configurations a layout can do with, whatever the database
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_LAYOUT_RULES_H
#define PLUGINS_COMMON_LAYOUT_RULES_H

#include "states.h"

/* What the configuration says of a table, as far as these rules look at it. */
struct layout_rules {
    const char *layout; /* its name */
    bool is_open;       /* `states` may say what the status holds */
    bool has_status;    /* a column is named for it */
    bool deletes;       /* what is delivered is deleted */
    bool leases;        /* the mode is lease */
    bool can_lease;     /* the layout has columns for that */
    const char
        *lease_lacks; /* the role that a lease needs and no column is named for; NULL: none */
};

/* The layout's own states, or what the setting `states` says; NULL: it is not set. INVALID says
 * what is wrong. */
enum outbox_status layout_rules_states(const struct layout_rules *rules, const struct states *own,
                                       const struct outbox_setting *setting, struct states *states,
                                       struct outbox_error *error) OUTBOX_MUST_USE;

/* INVALID, with the key and the remedy, if the table cannot keep or lease as it is asked to. */
enum outbox_status layout_rules_check(const struct layout_rules *rules, const struct states *states,
                                      struct outbox_error *error) OUTBOX_MUST_USE;

#endif
