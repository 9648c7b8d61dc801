/*
 * store_sample.c - a store with a key of every type
 * SPDX-License-Identifier: MIT
 */
#include "store_ops.h"

static const struct outbox_option options[] = {
    {.name = "url",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_REQUIRED | OUTBOX_OPTION_SECRET,
     .help = "Address."},
    {.name = "table", .type = OUTBOX_OPTION_TEXT, .default_value = "events", .help = "Table."},
    {.name = "fast", .type = OUTBOX_OPTION_BOOL, .default_value = "true", .help = "Hurries."},
    {.name = "slots",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "4",
     .minimum = -2,
     .maximum = 8,
     .help = "Slots."},
    {.name = "ratio",
     .type = OUTBOX_OPTION_NUMBER,
     .default_value = "0.5",
     .maximum = 1,
     .help = "Ratio."},
    {.name = "wait",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "3s",
     .minimum = 1e9,
     .maximum = 3600e9,
     .help = "Waits."},
    {.name = "chunk",
     .type = OUTBOX_OPTION_SIZE,
     .default_value = "64KiB",
     .minimum = 1024,
     .maximum = 1048576,
     .help = "Chunk."},
    {.name = "shape",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "flat",
     .choices = "flat|round",
     .help = "Shape."},
    {.name = "columns", .type = OUTBOX_OPTION_MAP, .help = "Columns."},
    {.name = "login", .type = OUTBOX_OPTION_MAP, .flags = OUTBOX_OPTION_SECRET, .help = "Login."},
    {.name = "password",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "Password."},
};

static const struct outbox_store_ops ops = {OUTBOX_OPS(outbox_store_ops), SAMPLE_STORE_OPS,
                                            .renew = sample_renew, .reap = sample_reap};

OUTBOX_PLUGIN(OUTBOX_KIND_STORE, .name = "sample", .version = "1", .description = "A sample.",
              .capabilities = OUTBOX_STORE_LEASE, .store = &ops, OUTBOX_OPTIONS(options));
