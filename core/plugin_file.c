/*
 * plugin_file.c - a shared object that says by its name that it is a driver
 * SPDX-License-Identifier: MIT
 */
#include "plugin_file.h"
#include "clock.h"
#include "log.h"
#include "plugin_check.h"
#include "plugin_elf.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* Held out to a driver's entry only: what it logs as an error is why it refuses. */
struct entry_host {
    struct outbox_host host;
    const char *path;
    char refusal[256];
};

static void entry_log(const struct outbox_host *host, uint32_t level, const char *text)
{
    struct entry_host *entry = host->context;
    if (level == OUTBOX_LOG_ERROR)
        (void)snprintf(entry->refusal, sizeof entry->refusal, "%s", text);
    else
        log_line(level, text, FIELD("file", entry->path));
}

static int64_t entry_now(const struct outbox_host *host)
{
    (void)host;
    return clock_now();
}

/* Nothing is open yet that could have messages. */
static void entry_complete(const struct outbox_host *host, const struct outbox_batch *batch,
                           uint64_t first, uint64_t count, const struct outbox_result *result)
{
    (void)batch;
    (void)first;
    (void)count;
    (void)result;
    entry_log(host, OUTBOX_LOG_WARN, "the driver completed a message before it was opened");
}

static void entry_count(const struct outbox_host *host, const char *counter, int64_t increment)
{
    (void)host;
    (void)counter;
    (void)increment;
}

bool plugin_name_valid(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < PLUGIN_NAME_SIZE &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

uint32_t plugin_file_kind(const char *file_name, char name[PLUGIN_NAME_SIZE])
{
    static const uint32_t kinds[] = {OUTBOX_KIND_STORE, OUTBOX_KIND_PUBLISHER};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *kind = plugin_kind_text(kinds[i]);
        size_t kind_len = strlen(kind), len = strlen(file_name);
        if (strncmp(file_name, kind, kind_len) != 0 || file_name[kind_len] != '-' ||
            len < kind_len + sizeof "-x.so" - 1 || strcmp(file_name + len - 3, ".so") != 0)
            continue;
        size_t name_len = len - kind_len - sizeof "-.so" + 1;
        if (name_len >= PLUGIN_NAME_SIZE)
            return 0;
        memcpy(name, file_name + kind_len + 1, name_len);
        name[name_len] = '\0';
        return plugin_name_valid(name) ? kinds[i] : 0;
    }
    return 0;
}

bool plugin_file_path(char path[PLUGIN_PATH_SIZE], const char *folder, uint32_t kind,
                      const char *name)
{
    int len = snprintf(path, PLUGIN_PATH_SIZE, "%s/%s-%s.so", folder, plugin_kind_text(kind), name);
    return len > 0 && len < PLUGIN_PATH_SIZE;
}

/* dlopen() begins its sentence with the path, which is told anyway. */
static const char *load_error(const char *path)
{
    const char *text = dlerror();
    if (!text)
        return "cannot be loaded";
    size_t len = strlen(path);
    return strncmp(text, path, len) == 0 && strncmp(text + len, ": ", 2) == 0 ? text + len + 2
                                                                              : text;
}

static outbox_plugin_entry_fn *entry_find(const char *path, struct outbox_error *error)
{
    if (!plugin_elf_check(path, error))
        return NULL;
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        (void)outbox_fail(error, OUTBOX_INVALID, "", "it cannot be loaded: %.400s",
                          load_error(path));
        return NULL;
    }
    void *symbol = dlsym(object, OUTBOX_PLUGIN_SYMBOL);
    if (!symbol) {
        (void)outbox_fail(error, OUTBOX_INVALID, "",
                          "it is no driver: it does not export the symbol %s",
                          OUTBOX_PLUGIN_SYMBOL);
        return NULL;
    }
    outbox_plugin_entry_fn *entry;
    memcpy(&entry, &symbol, sizeof entry);
    return entry;
}

static const struct outbox_plugin *entry_call(outbox_plugin_entry_fn *call,
                                              struct entry_host *entry, struct outbox_error *error)
{
    const struct outbox_plugin *raw = call(&entry->host);
    if (!raw)
        (void)outbox_fail(error, OUTBOX_INVALID, "", "it refuses this relay: %s",
                          *entry->refusal ? entry->refusal : "it gives no reason");
    else if (*entry->refusal)
        log_line(OUTBOX_LOG_ERROR, entry->refusal, FIELD("file", entry->path));
    return raw;
}

static struct checked_plugin *load(const char *path, uint32_t kind, const char *name,
                                   struct entry_host *entry, struct outbox_error *error)
{
    *entry = (struct entry_host){.host = {.size = sizeof entry->host,
                                          .abi_major = OUTBOX_ABI_MAJOR,
                                          .abi_minor = OUTBOX_ABI_MINOR,
                                          .context = entry,
                                          .log = entry_log,
                                          .now = entry_now,
                                          .complete = entry_complete,
                                          .count = entry_count},
                                 .path = path};
    outbox_plugin_entry_fn *call = entry_find(path, error);
    if (!call)
        return NULL;
    const struct outbox_plugin *raw = entry_call(call, entry, error);
    return raw ? checked_plugin_new(raw, kind, name, error) : NULL;
}

struct loaded_file *loaded_file_new(const char *path, uint32_t kind, const char *name)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct entry_host entry;
    struct loaded_file *loaded = calloc(1, sizeof *loaded);
    if (!loaded)
        return NULL;
    loaded->file = (struct plugin_file){.path = strdup(path), .name = strdup(name), .kind = kind};
    if (!loaded->file.path || !loaded->file.name)
        goto fail;
    loaded->checked = load(loaded->file.path, kind, name, &entry, &error);
    if (loaded->checked)
        loaded->file.plugin = checked_plugin_descriptor(loaded->checked);
    else if (!(loaded->file.refusal = strdup(error.text)))
        goto fail;
    return loaded;
fail:
    loaded_file_free(&loaded);
    return NULL;
}

void loaded_file_free(struct loaded_file **loaded)
{
    if (!*loaded)
        return;
    checked_plugin_free(&(*loaded)->checked);
    free((char *)(uintptr_t)(*loaded)->file.path);
    free((char *)(uintptr_t)(*loaded)->file.name);
    free((char *)(uintptr_t)(*loaded)->file.refusal);
    free(*loaded);
    *loaded = NULL;
}
