/*
 * plugins.h - finds, loads and checks drivers
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_PLUGINS_H
#define CORE_PLUGINS_H

#include <outbox/plugin.h>
#include <stdbool.h>
#include <stddef.h>

struct plugins;

/* One file that looks like a driver. */
struct plugin_file {
    const char *path;
    const char *name;                   /* from the file's name */
    uint32_t kind;                      /* from the file's name */
    const struct outbox_plugin *plugin; /* normalised: this relay's sizes, missing slots NULL. NULL:
                                           refused or not loaded yet */
    const char *refusal;                /* why it was refused, one sentence; NULL if it was not */
};

/* Folders are searched in this order, the first file of a kind and name wins: those added, then
 * $OUTBOX_PLUGIN_PATH (colons), then the folders beside the binary that a build tree has, then the
 * installed folder. Signals must be blocked already: drivers may start threads. NULL when there is
 * no memory left. */
struct plugins *plugins_new(void) __attribute__((warn_unused_result));

/* Adding a folder again changes nothing. A failure to do so is told by the next find. */
void plugins_add_folder(struct plugins *plugins, const char *folder);

/* The checked descriptor, loaded on first use and valid until plugins_free(): the file itself is
 * never unloaded. No other file is loaded. NULL with a sentence in `error` that says where was
 * looked and what there is. One thread at a time. */
const struct outbox_plugin *plugins_find(struct plugins *plugins, uint32_t kind, const char *name,
                                         struct outbox_error *error)
    __attribute__((warn_unused_result));

/* Every file found, loaded and checked; a refused one carries its reason. Valid until plugins_free.
 */
const struct plugin_file *plugins_all(struct plugins *plugins, size_t *count);
void plugins_free(struct plugins **plugins);

/* The option at `index` of a (normalised) plugin's table. */
const struct outbox_option *plugin_option(const struct outbox_plugin *plugin, size_t index);

/* The same of what a publisher's messages can carry: name and help. */
const struct outbox_option *plugin_property(const struct outbox_plugin *plugin, size_t index);

#endif
