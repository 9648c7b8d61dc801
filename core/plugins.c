/*
 * plugins.c - finds, loads and checks drivers
 * SPDX-License-Identifier: MIT
 */
#include "plugins.h"
#include "checker.h"
#include "nearest.h"
#include "plugin_check.h"
#include "plugin_file.h"
#include "plugin_folders.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct plugins {
    struct folders folders;
    struct loaded_file **files; /* each path once, in the order of their first use */
    size_t file_count;
    struct plugin_file *listing; /* of the last plugins_all() */
    bool folder_lost;            /* one could not be added for want of memory */
};

struct plugins *plugins_new(void)
{
    struct plugins *plugins = calloc(1, sizeof *plugins);
    if (plugins && !folders_init(&plugins->folders)) {
        free(plugins);
        return NULL;
    }
    return plugins;
}

void plugins_free(struct plugins **plugins)
{
    if (!*plugins)
        return;
    for (size_t i = 0; i < (*plugins)->file_count; i++)
        loaded_file_free(&(*plugins)->files[i]);
    free((*plugins)->files);
    free((*plugins)->listing);
    folders_clear(&(*plugins)->folders);
    free(*plugins);
    *plugins = NULL;
}

void plugins_add_folder(struct plugins *plugins, const char *folder)
{
    if (!folders_add(&plugins->folders, folder))
        plugins->folder_lost = true;
}

/* The file at `path`, loaded on first use; NULL when there is no memory left. */
static struct loaded_file *file_at(struct plugins *plugins, const char *path, uint32_t kind,
                                   const char *name)
{
    for (size_t i = 0; i < plugins->file_count; i++) {
        if (strcmp(plugins->files[i]->file.path, path) == 0)
            return plugins->files[i];
    }
    struct loaded_file **files =
        reallocarray(plugins->files, plugins->file_count + 1, sizeof(*files));
    if (!files)
        return NULL;
    plugins->files = files;
    files[plugins->file_count] = loaded_file_new(path, kind, name);
    return files[plugins->file_count] ? files[plugins->file_count++] : NULL;
}

/* ---- What there is ------------------------------------------------------------------------ */

/* A driver's file by its name alone, not loaded. */
struct found {
    char *folder;
    uint32_t kind;
    char name[PLUGIN_NAME_SIZE];
};

struct found_list {
    struct found *items;
    size_t count;
    bool failed;
};

static void found_add(struct found_list *list, const char *folder, uint32_t kind, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].kind == kind && strcmp(list->items[i].name, name) == 0)
            return;
    }
    struct found *items = reallocarray(list->items, list->count + 1, sizeof *items);
    char *copy = items ? strdup(folder) : NULL;
    if (items)
        list->items = items;
    if (!copy) {
        list->failed = true;
        return;
    }
    struct found *found = &items[list->count++];
    *found = (struct found){.folder = copy, .kind = kind};
    (void)snprintf(found->name, sizeof found->name, "%s", name);
}

static void found_clear(struct found_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].folder);
    free(list->items);
    *list = (struct found_list){NULL, 0, false};
}

static int found_compare(const void *a, const void *b)
{
    const struct found *left = a, *right = b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return strcmp(left->name, right->name);
}

static void scan_folder(void *context, const char *folder)
{
    struct found_list *list = context;
    DIR *directory = opendir(folder);
    if (!directory)
        return; /* folders that are not there are no mistake: most are only looked for */
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        char name[PLUGIN_NAME_SIZE];
        uint32_t kind = plugin_file_kind(entry->d_name, name);
        if (kind != 0)
            found_add(list, folder, kind, name);
    }
    (void)closedir(directory);
}

/* Sorted by kind and name, the first folder winning. */
static void scan(struct plugins *plugins, struct found_list *list)
{
    list->failed = plugins->folder_lost;
    folders_each(&plugins->folders, scan_folder, list);
    if (list->count > 0)
        qsort(list->items, list->count, sizeof list->items[0], found_compare);
}

const struct plugin_file *plugins_all(struct plugins *plugins, size_t *count)
{
    struct found_list list = {NULL, 0, false};
    scan(plugins, &list);
    *count = 0;
    free(plugins->listing);
    plugins->listing = calloc(list.count + 1, sizeof *plugins->listing);
    for (size_t i = 0; plugins->listing && i < list.count; i++) {
        char path[PLUGIN_PATH_SIZE];
        const struct found *found = &list.items[i];
        if (!plugin_file_path(path, found->folder, found->kind, found->name))
            continue;
        const struct loaded_file *loaded = file_at(plugins, path, found->kind, found->name);
        if (loaded)
            plugins->listing[(*count)++] = loaded->file;
        else
            list.failed = true;
    }
    if (list.failed)
        *count = 0;
    const struct plugin_file *result = list.failed ? NULL : plugins->listing;
    found_clear(&list);
    return result;
}

/* ---- The one that is asked for ------------------------------------------------------------ */

struct search {
    struct plugins *plugins;
    uint32_t kind;
    const char *name;
    struct loaded_file *result;
    bool failed;
};

static void search_folder(void *context, const char *folder)
{
    struct search *search = context;
    char path[PLUGIN_PATH_SIZE];
    if (search->result || !plugin_file_path(path, folder, search->kind, search->name) ||
        access(path, F_OK) != 0)
        return;
    search->result = file_at(search->plugins, path, search->kind, search->name);
    search->failed = search->failed || !search->result;
}

/* The folders that were searched; those that do not fit are counted, since half a path misleads. */
struct folder_text {
    char text[200];
    size_t limit;
    size_t shown, left_out;
};

static void folder_list(void *context, const char *folder)
{
    struct folder_text *list = context;
    size_t used = strlen(list->text);
    if (list->left_out > 0 || used + strlen(folder) + sizeof ", " > list->limit) {
        list->left_out++;
        return;
    }
    list->shown++;
    (void)snprintf(list->text + used, sizeof list->text - used, "%s%s", used ? ", " : "", folder);
}

static void folders_describe(const struct plugins *plugins, struct folder_text *list, size_t limit)
{
    *list = (struct folder_text){.limit = limit};
    folders_each(&plugins->folders, folder_list, list);
    size_t used = strlen(list->text);
    if (list->left_out > 0)
        (void)snprintf(list->text + used, sizeof list->text - used, "%s%zu %sfolder%s",
                       list->shown ? " and " : "", list->left_out, list->shown ? "more " : "",
                       list->left_out == 1 ? "" : "s");
}

/* The names of all drivers of a kind, and the one that is closest to `name`. */
struct names {
    char list[160];
    char nearest[PLUGIN_NAME_SIZE + 32];
};

static void names_read(struct plugins *plugins, uint32_t kind, const char *name,
                       struct names *names)
{
    struct found_list list = {NULL, 0, false};
    struct nearest nearest;
    nearest_init(&nearest, name);
    scan(plugins, &list);
    *names = (struct names){"", ""};
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].kind != kind)
            continue;
        nearest_offer(&nearest, list.items[i].name);
        list_append(names->list, sizeof names->list, list.items[i].name);
    }
    if (nearest.best)
        (void)snprintf(names->nearest, sizeof names->nearest, " did you mean \"%s\"?",
                       nearest.best);
    found_clear(&list);
}

/* Says which drivers of the kind there are, or where one would have to be. */
static void explain_missing(struct plugins *plugins, uint32_t kind, const char *name,
                            struct outbox_error *error)
{
    struct names names;
    struct folder_text folders;
    char wanted[PLUGIN_NAME_SIZE + 64];
    const char *kind_text = plugin_kind_text(kind);
    names_read(plugins, kind, name, &names);
    folders_describe(plugins, &folders, *names.list ? 100 : 170);
    /* A name that no driver can have could be anything, also what must not be shown. */
    if (plugin_name_valid(name))
        (void)snprintf(wanted, sizeof wanted, "\"%s\"", name);
    else
        (void)snprintf(wanted, sizeof wanted, "what is not a driver's name, allowed is a-z 0-9 -");
    if (*names.list)
        (void)outbox_fail(error, OUTBOX_INVALID, "",
                          "found %s, but there is no such %s driver;%s there is: %s (looked for "
                          "%s-NAME.so in %s)",
                          wanted, kind_text, names.nearest, names.list, kind_text, folders.text);
    else
        (void)outbox_fail(error, OUTBOX_INVALID, "",
                          "found %s, but there is no %s driver at all in %s; install one, or "
                          "name its folder in relay.plugin_path",
                          wanted, kind_text, folders.text);
}

const struct outbox_plugin *plugins_find(struct plugins *plugins, uint32_t kind, const char *name,
                                         struct outbox_error *error)
{
    struct search search = {.plugins = plugins, .kind = kind, .name = name};
    search.failed = plugins->folder_lost;
    if (plugin_name_valid(name))
        folders_each(&plugins->folders, search_folder, &search);
    if (search.failed) {
        (void)outbox_fail(error, OUTBOX_INTERNAL, "",
                          "there is not enough memory to load the %s driver %s",
                          plugin_kind_text(kind), name);
        return NULL;
    }
    if (!search.result) {
        explain_missing(plugins, kind, name, error);
        return NULL;
    }
    const struct plugin_file *file = &search.result->file;
    if (!file->plugin)
        (void)outbox_fail(error, OUTBOX_INVALID, "", "the %s driver %s was refused: %.300s (%s)",
                          plugin_kind_text(kind), name, file->refusal, file->path);
    return file->plugin;
}
