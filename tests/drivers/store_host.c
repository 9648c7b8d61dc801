/*
 * store_host.c - the relay's side of a driver, as far as tests of one need it
 * SPDX-License-Identifier: MIT
 */
#include "store_contract.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void host_log(const struct outbox_host *host, uint32_t level, const char *text)
{
    (void)host;
    (void)fprintf(stderr, "[driver, level %u] %s\n", level, text);
}

static int64_t host_now(const struct outbox_host *host)
{
    (void)host;
    struct timespec moment;
    (void)clock_gettime(CLOCK_MONOTONIC, &moment); /* cannot fail for this clock */
    return (int64_t)moment.tv_sec * 1000000000 + moment.tv_nsec;
}

static void host_count(const struct outbox_host *host, const char *counter, int64_t increment)
{
    (void)host;
    (void)counter;
    (void)increment;
}

const struct outbox_host *contract_host(void)
{
    static const struct outbox_host host = {
        .size = sizeof(struct outbox_host),
        .abi_major = OUTBOX_ABI_MAJOR,
        .abi_minor = OUTBOX_ABI_MINOR,
        .log = host_log,
        .now = host_now,
        .count = host_count,
    };
    return &host;
}

const struct outbox_plugin *contract_load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        (void)fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    outbox_plugin_entry_fn *entry = NULL;
    /* POSIX lets a function's address travel as an object's; ISO C knows no cast for it. */
    *(void **)(void *)&entry = dlsym(library, OUTBOX_PLUGIN_SYMBOL);
    const struct outbox_plugin *plugin = entry ? entry(contract_host()) : NULL;
    if (!plugin) {
        (void)fprintf(stderr, "%s is no driver, or refused this host\n", path);
        exit(2);
    }
    return plugin;
}

/* ---- Settings ----------------------------------------------------------------------------- */

struct unit {
    const char *name;
    double factor;
};

static bool scaled(const char *text, const struct unit *units, size_t unit_count, double *value)
{
    char *end = NULL;
    double number = strtod(text, &end);
    for (size_t i = 0; i < unit_count; i++) {
        if (end != text && strcmp(end, units[i].name) == 0) {
            *value = number * units[i].factor;
            return true;
        }
    }
    return false;
}

#define SCALED(text, units, value)                                                                 \
    scaled((text), (units), sizeof(units) / sizeof((units)[0]), (value))

static bool value_parse(const char *text, struct outbox_setting *value)
{
    static const struct unit none[] = {{"", 1}};
    static const struct unit durations[] = {
        {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
    static const struct unit sizes[] = {{"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1048576}};
    double number = 0;
    bool good = true;
    switch (value->type) {
    case OUTBOX_OPTION_TEXT:
    case OUTBOX_OPTION_CHOICE:
        value->text = text;
        break;
    case OUTBOX_OPTION_BOOL:
        value->integer = strcmp(text, "true") == 0;
        good = value->integer || strcmp(text, "false") == 0;
        break;
    case OUTBOX_OPTION_INTEGER:
    case OUTBOX_OPTION_NUMBER:
        good = SCALED(text, none, &number);
        break;
    case OUTBOX_OPTION_DURATION:
        good = SCALED(text, durations, &number);
        break;
    case OUTBOX_OPTION_SIZE:
        good = SCALED(text, sizes, &number);
        break;
    default:
        return false;
    }
    value->number = number;
    if (value->type != OUTBOX_OPTION_BOOL)
        value->integer = (int64_t)number;
    return good;
}

static const struct contract_value *value_given(const char *name,
                                                const struct contract_value *values,
                                                size_t value_count)
{
    for (size_t i = 0; i < value_count; i++) {
        if (strcmp(values[i].name, name) == 0)
            return &values[i];
    }
    return NULL;
}

static bool setting_init(struct outbox_setting *setting, const struct outbox_option *option,
                         const struct contract_value *given)
{
    setting->name = option->name;
    setting->type = option->type;
    if (given && option->type == OUTBOX_OPTION_MAP) {
        setting->is_set = 1;
        setting->pairs = given->pairs;
        setting->pair_count = given->pair_count;
        return true;
    }
    const char *text = given ? given->text : option->default_value;
    setting->is_set = text != NULL;
    return !text || value_parse(text, setting);
}

bool contract_settings_init(struct contract_settings *made, const struct outbox_plugin *plugin,
                            const struct contract_value *values, size_t value_count)
{
    made->values = calloc(plugin->option_count + 1, sizeof(*made->values));
    if (!made->values)
        return false;
    made->settings = (struct outbox_settings){sizeof(made->settings), made->values,
                                              sizeof(*made->values), plugin->option_count};
    for (uint64_t i = 0; i < plugin->option_count; i++) {
        const struct outbox_option *option =
            (const struct outbox_option *)(const void *)((const char *)plugin->options +
                                                         i * plugin->option_size);
        if (!setting_init(&made->values[i], option,
                          value_given(option->name, values, value_count))) {
            (void)fprintf(stderr, "option %s: a value that cannot be read\n", option->name);
            contract_settings_free(made);
            return false;
        }
    }
    return true;
}

void contract_settings_free(struct contract_settings *made)
{
    free(made->values);
    made->values = NULL;
}

/* ---- Stores and sessions ------------------------------------------------------------------ */

void contract_ok_at(enum outbox_status status, const struct outbox_error *error, const char *file,
                    int line)
{
    if (status == OUTBOX_OK)
        return;
    print_error("status %d (%s): %s\n", (int)status, error->native, error->text);
    _fail(file, line);
}

struct outbox_store *contract_store_open(const struct outbox_plugin *plugin,
                                         const struct contract_value *values, size_t value_count,
                                         uint32_t mode, bool delete_delivered)
{
    struct contract_settings made;
    assert_true(contract_settings_init(&made, plugin, values, value_count));
    const struct outbox_store_config config = {
        .size = sizeof(config),
        .mode = mode,
        .delete_delivered = delete_delivered,
        .relay_id = outbox_slice_of("contract"),
        .settings = &made.settings,
    };
    struct outbox_store *store = NULL;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    enum outbox_status status = plugin->store->open(contract_host(), &config, &store, &error);
    contract_settings_free(&made);
    contract_ok(status, &error);
    return store;
}

struct outbox_session *contract_session_open(const struct outbox_plugin *plugin,
                                             struct outbox_store *store)
{
    struct outbox_session *session = NULL;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    int64_t deadline = host_now(NULL) + INT64_C(10000000000);
    contract_ok(plugin->store->session_open(store, deadline, &session, &error), &error);
    return session;
}
