/*
 * config_expand.h - texts that come from the environment or from a file
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CONFIG_EXPAND_H
#define CORE_CONFIG_EXPAND_H

#include "checker.h"

/* Whether the text refers to a variable or escapes a "${". */
bool expand_wanted(const char *text);

/* Replaces ${VAR} by the variable, ${VAR:-default} by the default if it is unset or empty, and $${
 * by
 * "${". The result lives in checker->memory. NULL after a mistake, which never shows the value of a
 * variable. */
const char *expand_text(struct checker *checker, const struct json_path *path, const char *text)
    __attribute__((warn_unused_result));

/* The content of a file that holds a secret, without the newline at its end. NULL after a mistake.
 */
const char *secret_read(struct checker *checker, const struct json_path *path, const char *file)
    __attribute__((warn_unused_result));

#endif
