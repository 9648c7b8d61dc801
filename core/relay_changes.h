/*
 * relay_changes.h - what a configuration that was read again cannot change
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_RELAY_CHANGES_H
#define CORE_RELAY_CHANGES_H

#include "config.h"

/* Logs a warning for each difference that applies at the next start only: pipelines that came or
 * went, and keys that are no tunables. Keys are named, values never. */
void relay_changes_log(const struct config *running, const struct config *fresh);

#endif
