/*
 * store_newer.c - a store built when the tables have grown
 * SPDX-License-Identifier: MIT
 */
#include "store_ops.h"

struct newer_ops {
    struct outbox_store_ops known;
    void (*invented)(void);
};

struct newer_option {
    struct outbox_option known;
    const char *since;
};

struct newer_plugin {
    struct outbox_plugin known;
    const char *homepage;
};

static void invented(void)
{
}

static const struct newer_option options[] = {
    {{.name = "first", .type = OUTBOX_OPTION_TEXT, .default_value = "one", .help = "First."}, "9"},
    {{.name = "second", .type = OUTBOX_OPTION_TEXT, .default_value = "two", .help = "Second."},
     "9"},
};

static const struct newer_ops ops = {
    {.size = sizeof(struct newer_ops),
     SAMPLE_STORE_OPS,
     .renew = sample_renew,
     .reap = sample_reap},
    invented,
};

static const struct newer_plugin plugin = {
    {
        .size = sizeof(struct newer_plugin),
        .abi_major = OUTBOX_ABI_MAJOR,
        .abi_minor = OUTBOX_ABI_MINOR + 1,
        .kind = OUTBOX_KIND_STORE,
        .name = "newer",
        .version = "9",
        .description = "From a later time.",
        .capabilities = OUTBOX_STORE_LEASE | (UINT64_C(1) << 60),
        .options = &options[0].known,
        .option_size = sizeof options[0],
        .option_count = 2,
        .store = &ops.known,
    },
    "https://example.org/",
};

const struct outbox_plugin *outbox_plugin_entry(const struct outbox_host *host)
{
    (void)host;
    return &plugin.known;
}
