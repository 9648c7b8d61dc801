/*
 * plugin_check.c - a driver's descriptor, brought to this relay's version or refused
 * SPDX-License-Identifier: MIT
 */
#include "plugin_check.h"
#include "checker.h"
#include "config_value.h"
#include "plugins.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No driver has that many keys: a larger count is a table that was never filled in. */
#define OPTION_LIMIT 1024

struct checked_plugin {
    struct outbox_plugin plugin;
    struct outbox_store_ops store;
    struct outbox_publisher_ops publisher;
    struct outbox_option options[];
};

/* An op that must be there, always or with one of the capabilities. */
struct slot {
    const char *name;
    size_t offset;
    uint64_t with; /* capabilities, 0: always */
};

#define STORE_SLOT(op, capabilities)                                                               \
    {                                                                                              \
#op, offsetof(struct outbox_store_ops, op), capabilities                                   \
    }
#define PUBLISHER_SLOT(op)                                                                         \
    {                                                                                              \
#op, offsetof(struct outbox_publisher_ops, op), 0                                          \
    }

static const struct slot store_slots[] = {
    STORE_SLOT(open, 0),
    STORE_SLOT(close, 0),
    STORE_SLOT(session_open, 0),
    STORE_SLOT(session_close, 0),
    STORE_SLOT(ping, 0),
    STORE_SLOT(schema, 0),
    STORE_SLOT(claim, 0),
    STORE_SLOT(settle, 0),
    STORE_SLOT(claim_close, 0),
    STORE_SLOT(abandon, OUTBOX_STORE_HOLD),
    STORE_SLOT(renew, OUTBOX_STORE_LEASE),
    STORE_SLOT(reap, OUTBOX_STORE_LEASE),
    STORE_SLOT(wake_arm, OUTBOX_STORE_WAKE),
    STORE_SLOT(wake_disarm, OUTBOX_STORE_WAKE),
};

static const struct slot publisher_slots[] = {
    PUBLISHER_SLOT(open),
    PUBLISHER_SLOT(close),
    PUBLISHER_SLOT(publish),
    PUBLISHER_SLOT(ping),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *plugin_kind_text(uint32_t kind)
{
    return kind == OUTBOX_KIND_STORE ? "store" : "publisher";
}

const struct outbox_option *plugin_option(const struct outbox_plugin *plugin, size_t index)
{
    const char *options = (const char *)plugin->options;
    return (const struct outbox_option *)(const void *)(options + index * plugin->option_size);
}

const struct outbox_option *plugin_property(const struct outbox_plugin *plugin, size_t index)
{
    const char *properties = (const char *)plugin->properties;
    return (const struct outbox_option *)(const void *)(properties + index * plugin->property_size);
}

const struct outbox_plugin *checked_plugin_descriptor(const struct checked_plugin *checked)
{
    return &checked->plugin;
}

static bool refuse(struct outbox_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(struct outbox_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return false;
}

static void copy_known(void *to, size_t to_size, const void *from, uint64_t from_size)
{
    size_t len = from_size < to_size ? (size_t)from_size : to_size;
    memset(to, 0, to_size);
    memcpy(to, from, len);
}

static bool check_version(const struct outbox_plugin *raw, struct outbox_error *error)
{
    if (raw->size < offsetof(struct outbox_plugin, kind))
        return refuse(error, "its descriptor is too short to tell its version: build the driver "
                             "with OUTBOX_PLUGIN()");
    if (raw->abi_major == OUTBOX_ABI_MAJOR)
        return true;
    return refuse(error,
                  "it was built for version %u.%u of the driver interface, this relay has %d.%d: "
                  "install a driver and a relay of the same major version",
                  raw->abi_major, raw->abi_minor, OUTBOX_ABI_MAJOR, OUTBOX_ABI_MINOR);
}

static bool check_identity(const struct outbox_plugin *plugin, uint32_t kind, const char *name,
                           struct outbox_error *error)
{
    if (plugin->kind != kind)
        return refuse(error, "the file is called a %s, but the driver says that its kind is %s",
                      plugin_kind_text(kind),
                      plugin->kind == OUTBOX_KIND_STORE       ? "store"
                      : plugin->kind == OUTBOX_KIND_PUBLISHER ? "publisher"
                                                              : "unknown");
    if (!plugin->name || !plugin->version || !plugin->description)
        return refuse(error, "its descriptor lacks its %s",
                      !plugin->name      ? "name"
                      : !plugin->version ? "version"
                                         : "description");
    if (strcmp(plugin->name, name) != 0)
        return refuse(error, "the driver says that its name is \"%s\": call the file %s-%s.so",
                      plugin->name, plugin_kind_text(kind), plugin->name);
    return true;
}

static bool slot_filled(const void *ops, size_t offset)
{
    static const unsigned char empty[sizeof(void (*)(void))];
    return memcmp((const char *)ops + offset, empty, sizeof empty) != 0;
}

static bool check_slots(const void *ops, const struct slot *slots, size_t count,
                        uint64_t capabilities, struct outbox_error *error)
{
    char missing[256] = "";
    for (size_t i = 0; i < count; i++) {
        bool needed = slots[i].with == 0 || (slots[i].with & capabilities) != 0;
        if (needed && !slot_filled(ops, slots[i].offset))
            list_append(missing, sizeof missing, slots[i].name);
    }
    return !*missing || refuse(error, "it lacks what every driver like it must have: %s", missing);
}

static bool take_store(struct checked_plugin *checked, struct outbox_error *error)
{
    const struct outbox_store_ops *raw = checked->plugin.store;
    const uint64_t modes = OUTBOX_STORE_LEASE | OUTBOX_STORE_HOLD | OUTBOX_STORE_STREAM;
    if (!raw)
        return refuse(error, "its descriptor lacks the table of a store's operations");
    if (!(checked->plugin.capabilities & modes))
        return refuse(error, "it can claim in no way: it declares none of LEASE, HOLD and STREAM");
    copy_known(&checked->store, sizeof checked->store, raw, raw->size);
    checked->store.size = sizeof checked->store;
    checked->plugin.store = &checked->store;
    checked->plugin.publisher = NULL;
    return check_slots(&checked->store, store_slots, COUNT(store_slots),
                       checked->plugin.capabilities, error);
}

static bool check_properties(const struct outbox_plugin *plugin, struct outbox_error *error)
{
    if (plugin->property_count == 0)
        return true;
    if (plugin->property_count > OPTION_LIMIT || !plugin->properties ||
        plugin->property_size < sizeof(struct outbox_option))
        return refuse(error, "its table of properties is damaged");
    for (size_t i = 0; i < plugin->property_count; i++) {
        const struct outbox_option *property = plugin_property(plugin, i);
        if (!property->name || !*property->name || !property->help)
            return refuse(error, "its property number %zu lacks a name or a help text", i + 1);
    }
    return true;
}

static bool take_publisher(struct checked_plugin *checked, struct outbox_error *error)
{
    const struct outbox_publisher_ops *raw = checked->plugin.publisher;
    if (!raw)
        return refuse(error, "its descriptor lacks the table of a publisher's operations");
    copy_known(&checked->publisher, sizeof checked->publisher, raw, raw->size);
    checked->publisher.size = sizeof checked->publisher;
    checked->plugin.publisher = &checked->publisher;
    checked->plugin.store = NULL;
    if (!check_properties(&checked->plugin, error))
        return false;
    return check_slots(&checked->publisher, publisher_slots, COUNT(publisher_slots),
                       checked->plugin.capabilities, error);
}

/* A default that the driver's own table does not allow would be found by each user anew. */
static bool check_default(const struct outbox_option *option, struct outbox_error *error)
{
    struct mistakes mistakes = {NULL, 0};
    struct checker checker = {.mistakes = &mistakes, .memory = config_memory_new()};
    struct outbox_setting setting;
    if (!checker.memory)
        return refuse(error, "there is not enough memory to check it");
    bool ok = value_default(&checker, NULL, option, &setting);
    if (!ok)
        (void)refuse(error, "the default of its key \"%s\" is wrong: %s", option->name,
                     mistakes.count > 0 ? mistakes.lines[0] : "out of memory");
    mistakes_clear(&mistakes);
    config_memory_free(&checker.memory);
    return ok;
}

static bool check_option(const struct checked_plugin *checked, size_t index,
                         struct outbox_error *error)
{
    const struct outbox_option *option = &checked->options[index];
    if (!option->name || !*option->name || !option->help)
        return refuse(error, "its key number %zu lacks a name or a help text", index + 1);
    if (strcmp(option->name, "driver") == 0)
        return refuse(error, "its key \"driver\" is taken: that key names the driver itself");
    for (size_t i = 0; i < index; i++) {
        if (strcmp(checked->options[i].name, option->name) == 0)
            return refuse(error, "it declares the key \"%s\" twice", option->name);
    }
    if (!option_type_known(option->type))
        return refuse(error,
                      "its key \"%s\" is of type %u, which this relay does not know: a newer "
                      "relay may",
                      option->name, option->type);
    if (option->type == OUTBOX_OPTION_CHOICE && (!option->choices || !*option->choices))
        return refuse(error, "its key \"%s\" is a choice without choices", option->name);
    if (option->minimum > option->maximum)
        return refuse(error, "the bounds of its key \"%s\" allow no value", option->name);
    return check_default(option, error);
}

static bool take_options(struct checked_plugin *checked, const struct outbox_plugin *raw,
                         struct outbox_error *error)
{
    checked->plugin.options = checked->options;
    checked->plugin.option_size = sizeof checked->options[0];
    for (size_t i = 0; i < checked->plugin.option_count; i++) {
        copy_known(&checked->options[i], sizeof checked->options[i], plugin_option(raw, i),
                   raw->option_size);
        if (!check_option(checked, i, error))
            return false;
    }
    return true;
}

static bool take_all(struct checked_plugin *checked, const struct outbox_plugin *source,
                     uint32_t kind, const char *name, struct outbox_error *error)
{
    if (!check_identity(&checked->plugin, kind, name, error))
        return false;
    if (!take_options(checked, source, error))
        return false;
    return kind == OUTBOX_KIND_STORE ? take_store(checked, error) : take_publisher(checked, error);
}

struct checked_plugin *checked_plugin_new(const struct outbox_plugin *raw, uint32_t kind,
                                          const char *name, struct outbox_error *error)
{
    struct outbox_plugin known;
    if (!check_version(raw, error))
        return NULL;
    copy_known(&known, sizeof known, raw, raw->size);
    known.size = sizeof known;
    if (known.option_count > OPTION_LIMIT ||
        (known.option_count > 0 && (!known.options || known.option_size == 0))) {
        (void)refuse(error, "its table of keys is damaged");
        return NULL;
    }
    struct checked_plugin *checked =
        calloc(1, sizeof *checked + known.option_count * sizeof checked->options[0]);
    if (!checked) {
        (void)refuse(error, "there is not enough memory to load it");
        return NULL;
    }
    checked->plugin = known;
    if (!take_all(checked, &known, kind, name, error))
        checked_plugin_free(&checked);
    return checked;
}

void checked_plugin_free(struct checked_plugin **checked)
{
    free(*checked);
    *checked = NULL;
}
