/*
 * plugin_folders.h - where drivers are looked for
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_PLUGIN_FOLDERS_H
#define CORE_PLUGIN_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

struct folder_list {
    char **paths;
    size_t count;
};

struct folders {
    struct folder_list added;
    struct folder_list standard; /* environment, build tree, installed */
};

/* False when there is no memory left; nothing needs clearing then. */
bool folders_init(struct folders *folders) __attribute__((warn_unused_result));
void folders_clear(struct folders *folders);

/* Searched before the standard ones and after those added earlier; once, however often it is added.
 */
bool folders_add(struct folders *folders, const char *folder) __attribute__((warn_unused_result));

/* Calls back with each folder in the order of search. */
void folders_each(const struct folders *folders, void (*each)(void *context, const char *folder),
                  void *context);

#endif
