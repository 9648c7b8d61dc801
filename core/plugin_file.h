/*
 * plugin_file.h - a shared object that says by its name that it is a driver
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_PLUGIN_FILE_H
#define CORE_PLUGIN_FILE_H

#include "plugins.h"

#define PLUGIN_NAME_SIZE 64
#define PLUGIN_PATH_SIZE 4096

/* A file that was tried: either with its checked descriptor or with the reason why not. */
struct loaded_file {
    struct plugin_file file; /* its texts and descriptor are owned by this */
    struct checked_plugin *checked;
};

/* Loads and checks; NULL only when there is no memory left. Freeing does not unload. */
struct loaded_file *loaded_file_new(const char *path, uint32_t kind, const char *name)
    __attribute__((warn_unused_result));
void loaded_file_free(struct loaded_file **loaded);

/* Lower-case letters, digits and '-', shorter than PLUGIN_NAME_SIZE. */
bool plugin_name_valid(const char *name);

/* The kind that "store-NAME.so" or "publisher-NAME.so" tells, 0 for any other file. */
uint32_t plugin_file_kind(const char *file_name, char name[PLUGIN_NAME_SIZE]);

/* False if the path would be too long. */
bool plugin_file_path(char path[PLUGIN_PATH_SIZE], const char *folder, uint32_t kind,
                      const char *name) __attribute__((warn_unused_result));

#endif
