/*
 * publisher_mailer.c - a publisher with attributes, and properties of a message
 * SPDX-License-Identifier: MIT
 */
#include "ops.h"

static const struct outbox_publisher_ops ops = {SAMPLE_PUBLISHER_OPS, .publish = sample_publish};

static const struct outbox_option properties[] = {
    {.name = "priority", .help = "How urgent it is."},
    {.name = "expires", .help = "When it is of no more use."},
};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "mailer", .version = "1", .description = "Mails.",
              .capabilities = OUTBOX_PUBLISHER_ATTRIBUTES, .publisher = &ops,
              OUTBOX_PROPERTIES(properties));
