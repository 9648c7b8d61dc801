/*
 * settings.h - what the configuration says of the store, checked
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_SETTINGS_H
#define STORE_SQLITE_SETTINGS_H

#include "session.h"

enum { SETTINGS_COUNT = 9 };

extern const struct outbox_option settings_options[SETTINGS_COUNT];

/* INVALID or UNSUPPORTED names the setting, what was found and what is allowed. */
enum outbox_status settings_init(struct outbox_store *store,
                                 const struct outbox_store_config *config,
                                 struct outbox_error *error) OUTBOX_MUST_USE;

#endif
