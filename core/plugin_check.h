/*
 * plugin_check.h - a driver's descriptor, brought to this relay's version or refused
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_PLUGIN_CHECK_H
#define CORE_PLUGIN_CHECK_H

#include <outbox/plugin.h>

struct checked_plugin;

/* Copies what a driver handed over to tables of this relay's sizes, what the driver does not have
 * being zero, and checks them. `kind` and `name` are those of its file. NULL with the reason in
 * *error. Names, texts and code stay the driver's. */
struct checked_plugin *checked_plugin_new(const struct outbox_plugin *raw, uint32_t kind,
                                          const char *name, struct outbox_error *error)
    __attribute__((warn_unused_result));
void checked_plugin_free(struct checked_plugin **checked);

const struct outbox_plugin *checked_plugin_descriptor(const struct checked_plugin *checked);

/* "store" or "publisher". */
const char *plugin_kind_text(uint32_t kind);

#endif
