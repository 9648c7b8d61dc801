/*
 * config_driver.h - the `store` and `publisher` objects of a pipeline
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CONFIG_DRIVER_H
#define CORE_CONFIG_DRIVER_H

#include "checker.h"

/* Loads the driver that `object` names and checks the other keys against its table. False after a
 * mistake; then plugin is NULL unless the driver itself is known. */
bool driver_check(struct checker *checker, const struct json_path *path, const json_t *object,
                  uint32_t kind, struct plugins *plugins, struct driver_config *driver)
    __attribute__((warn_unused_result));

#endif
