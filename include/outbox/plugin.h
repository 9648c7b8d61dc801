/*
 * plugin.h - how the relay finds a driver in a shared object
 * SPDX-License-Identifier: MIT
 */
#ifndef OUTBOX_PLUGIN_H
#define OUTBOX_PLUGIN_H

#include <outbox/publisher.h>
#include <outbox/store.h>
#include <outbox/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum outbox_plugin_kind { OUTBOX_KIND_STORE = 1, OUTBOX_KIND_PUBLISHER = 2 };

/* What a driver says of itself. Static and constant in the driver; it is never unloaded. The file
 * is called store-NAME.so or publisher-NAME.so, NAME being `name`. */
struct outbox_plugin {
    uint64_t size;
    uint32_t abi_major; /* must equal the relay's */
    uint32_t abi_minor; /* may be lower or higher than the relay's */
    uint32_t kind;      /* enum outbox_plugin_kind */
    uint32_t reserved;
    const char *name;        /* lower case, digits and '-' */
    const char *version;     /* of the driver, free text */
    const char *description; /* one line */
    uint64_t capabilities;   /* enum outbox_store_capability or outbox_publisher_capability */
    const struct outbox_option *options;
    uint64_t option_size; /* byte distance between options */
    uint64_t option_count;
    const struct outbox_store_ops *store;         /* of a store, else NULL */
    const struct outbox_publisher_ops *publisher; /* of a publisher, else NULL */

    /* Since 1.1. Of a publisher: what `route.properties` may set for each message. Of each entry
     * only name and help are looked at. */
    const struct outbox_option *properties;
    uint64_t property_size; /* byte distance between properties */
    uint64_t property_count;

    /* Since 1.4. Of a publisher: what its messages are called in traces, by OpenTelemetry's
     * semantic conventions for messaging. NULL where these have no name for it. */
    const char *messaging_system; /* value of messaging.system; NULL: the driver's name */
    const char *topic_attribute;  /* of the topic; NULL: messaging.destination.name */
    const char *key_attribute;    /* of the key; NULL: it is left out */
};

/* The one symbol that a driver exports. Called once, before anything else of the driver, by one
 * thread. Returns NULL to refuse this relay (the reason goes to host->log). */
#define OUTBOX_PLUGIN_SYMBOL "outbox_plugin_entry"
typedef const struct outbox_plugin *outbox_plugin_entry_fn(const struct outbox_host *host);
OUTBOX_EXPORT const struct outbox_plugin *outbox_plugin_entry(const struct outbox_host *host);

/* Stamps the sizes and the ABI version that this header has at the driver's build. First member of
 * the descriptor and of each ops table:
 *     static const struct outbox_store_ops ops = {OUTBOX_OPS(outbox_store_ops), .open = ...};
 *     OUTBOX_PLUGIN(OUTBOX_KIND_STORE, .name = "mine", .store = &ops, OUTBOX_OPTIONS(options)); */
#define OUTBOX_OPS(type) .size = sizeof(struct type)

#define OUTBOX_OPTIONS(table)                                                                      \
    .options = (table), .option_size = sizeof((table)[0]),                                         \
    .option_count = sizeof(table) / sizeof((table)[0])

#define OUTBOX_PROPERTIES(table)                                                                   \
    .properties = (table), .property_size = sizeof((table)[0]),                                    \
    .property_count = sizeof(table) / sizeof((table)[0])

#define OUTBOX_PLUGIN(plugin_kind, ...)                                                            \
    static const struct outbox_plugin outbox_plugin_descriptor = {                                 \
        .size = sizeof(struct outbox_plugin),                                                      \
        .abi_major = OUTBOX_ABI_MAJOR,                                                             \
        .abi_minor = OUTBOX_ABI_MINOR,                                                             \
        .kind = (plugin_kind),                                                                     \
        __VA_ARGS__};                                                                              \
    const struct outbox_plugin *outbox_plugin_entry(const struct outbox_host *host)                \
    {                                                                                              \
        (void)host;                                                                                \
        return &outbox_plugin_descriptor;                                                          \
    }                                                                                              \
    struct outbox_plugin_semicolon

#ifdef __cplusplus
}
#endif
#endif
