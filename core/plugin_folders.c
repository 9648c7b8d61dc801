/*
 * plugin_folders.c - where drivers are looked for
 * SPDX-License-Identifier: MIT
 */
#include "plugin_folders.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool list_add(struct folder_list *list, const char *path, size_t len)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strlen(list->paths[i]) == len && memcmp(list->paths[i], path, len) == 0)
            return true;
    }
    char **paths = reallocarray(list->paths, list->count + 1, sizeof *paths);
    if (!paths)
        return false;
    list->paths = paths;
    paths[list->count] = strndup(path, len);
    return paths[list->count] ? ++list->count > 0 : false;
}

static void list_clear(struct folder_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (struct folder_list){NULL, 0};
}

static bool add_environment(struct folder_list *list)
{
    const char *at = getenv("OUTBOX_PLUGIN_PATH");
    bool ok = true;
    while (ok && at && *at) {
        size_t len = strcspn(at, ":");
        if (len > 0)
            ok = list_add(list, at, len);
        at += len + (at[len] == ':');
    }
    return ok;
}

/* Adds the folders inside `parent`, each of which is a driver's room in a build tree. */
static bool add_rooms(struct folder_list *list, const char *parent)
{
    struct dirent **entries = NULL;
    int count = scandir(parent, &entries, NULL, alphasort);
    bool ok = true;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        int len = snprintf(path, sizeof path, "%s/%s", parent, entries[i]->d_name);
        if (ok && entries[i]->d_name[0] != '.' && len > 0 && (size_t)len < sizeof path)
            ok = list_add(list, path, (size_t)len);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

/* A built relay is BUILD/core/outbox-relay, or a copy of that at BUILD/outbox-relay; the drivers
 * are in BUILD/plugins. */
static bool add_build_tree(struct folder_list *list)
{
    char binary[PATH_MAX], parent[PATH_MAX + 16];
    ssize_t len = readlink("/proc/self/exe", binary, sizeof binary - 1);
    if (len <= 0)
        return true;
    binary[len] = '\0';
    char *slash = strrchr(binary, '/');
    if (!slash)
        return true;
    *slash = '\0';
    (void)snprintf(parent, sizeof parent, "%s/plugins", binary);
    if (!add_rooms(list, parent))
        return false;
    slash = strrchr(binary, '/');
    if (!slash)
        return true;
    *slash = '\0';
    (void)snprintf(parent, sizeof parent, "%s/plugins", binary);
    return add_rooms(list, parent);
}

bool folders_init(struct folders *folders)
{
    *folders = (struct folders){{NULL, 0}, {NULL, 0}};
    if (add_environment(&folders->standard) && add_build_tree(&folders->standard) &&
        list_add(&folders->standard, OUTBOX_PLUGIN_DIR, strlen(OUTBOX_PLUGIN_DIR)))
        return true;
    folders_clear(folders);
    return false;
}

void folders_clear(struct folders *folders)
{
    list_clear(&folders->added);
    list_clear(&folders->standard);
}

bool folders_add(struct folders *folders, const char *folder)
{
    return list_add(&folders->added, folder, strlen(folder));
}

void folders_each(const struct folders *folders, void (*each)(void *context, const char *folder),
                  void *context)
{
    for (size_t i = 0; i < folders->added.count; i++)
        each(context, folders->added.paths[i]);
    for (size_t i = 0; i < folders->standard.count; i++)
        each(context, folders->standard.paths[i]);
}
