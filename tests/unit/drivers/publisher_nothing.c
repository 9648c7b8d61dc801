/*
 * publisher_nothing.c - a publisher without a table of operations
 * SPDX-License-Identifier: MIT
 */
#include <outbox/plugin.h>

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "nothing", .version = "1", .description = "Empty.");
