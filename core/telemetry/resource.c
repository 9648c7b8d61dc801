/*
 * resource.c - who it is that sends: the attributes that all signals of a process share
 * SPDX-License-Identifier: MIT
 */
#include "resource.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN_ATTRIBUTES 8

/* What is there already stays. */
static void add(struct resource *resource, struct resource_attribute attribute)
{
    for (size_t i = 0; i < resource->count; i++)
        if (strcmp(resource->attributes[i].name, attribute.name) == 0)
            return;
    resource->attributes[resource->count++] = attribute;
}

static void add_text(struct resource *resource, const char *name, const char *text)
{
    add(resource, (struct resource_attribute){.name = name, .text = text});
}

bool resource_init(struct resource *resource, const struct config *config)
{
    const struct telemetry_settings *settings = &config->telemetry;
    size_t most = OWN_ATTRIBUTES + (size_t)settings->attribute_count;

    *resource = (struct resource){.attributes = calloc(most, sizeof(*resource->attributes))};
    if (!resource->attributes)
        return false;
    /* A name that does not fit is cut, which gethostname() reports as a failure. */
    (void)gethostname(resource->host, sizeof(resource->host) - 1);
    add_text(resource, "service.name", settings->service_name);
    add_text(resource, "telemetry.sdk.name", "outbox-relay");
    add_text(resource, "telemetry.sdk.language", "c");
    add_text(resource, "telemetry.sdk.version", OUTBOX_VERSION);
    /* The user's words go before all that follows. */
    for (uint64_t i = 0; i < settings->attribute_count; i++)
        add_text(resource, settings->attributes[i].name.data, settings->attributes[i].value.data);
    add_text(resource, "service.version", OUTBOX_VERSION);
    add_text(resource, "service.instance.id", config->relay_id);
    if (*resource->host)
        add_text(resource, "host.name", resource->host);
    add(resource, (struct resource_attribute){.name = "process.pid", .number = getpid()});
    return true;
}

void resource_clear(struct resource *resource)
{
    free(resource->attributes);
    *resource = (struct resource){0};
}
