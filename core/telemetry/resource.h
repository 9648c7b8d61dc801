/*
 * resource.h - who it is that sends: the attributes that all signals of a process share
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_RESOURCE_H
#define CORE_TELEMETRY_RESOURCE_H

#include "../config.h"

struct resource_attribute {
    const char *name;
    const char *text; /* or, if NULL: */
    int64_t number;
};

#define RESOURCE_HOST 256

/* Borrows from the configuration. */
struct resource {
    struct resource_attribute *attributes;
    size_t count;
    char host[RESOURCE_HOST];
};

/* False if memory ran out. */
bool resource_init(struct resource *resource, const struct config *config)
    __attribute__((warn_unused_result));
void resource_clear(struct resource *resource);

#endif
