/*
 * config_route.h - the `route` object of a pipeline, compiled
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CONFIG_ROUTE_H
#define CORE_CONFIG_ROUTE_H

#include "checker.h"

/* Checks `route` (NULL: left out) and sets pipeline->route, which lives in checker->memory. The
 * pipeline's name and publisher are resolved, or NULL after a mistake. False after a mistake. */
bool route_check(struct checker *checker, const struct json_path *path, const json_t *object,
                 struct pipeline_config *pipeline) __attribute__((warn_unused_result));

#endif
