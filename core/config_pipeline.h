/*
 * config_pipeline.h - one element of `pipelines`
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CONFIG_PIPELINE_H
#define CORE_CONFIG_PIPELINE_H

#include "checker.h"

/* Checks and resolves a pipeline, rules between its keys included. Its name is set whenever it
 * could be read. False after a mistake. */
bool pipeline_check(struct checker *checker, const struct json_path *path, const json_t *object,
                    struct plugins *plugins, struct pipeline_config *pipeline)
    __attribute__((warn_unused_result));

/* Whether `name` is 1 to 64 letters, digits, '.', '_' and '-'. */
bool name_valid(const char *name);

#endif
