/*
 * config_value.h - one value, checked against the option that describes it
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CONFIG_VALUE_H
#define CORE_CONFIG_VALUE_H

#include "checker.h"

/* An array of texts: in the core's own tables only, its elements are the values of `pairs`. */
#define CONFIG_OPTION_LIST UINT32_C(0x100)

/* Whether this relay knows the type of a driver's option. */
bool option_type_known(uint32_t type);

/* Whether a value of the type is written in quotes in the file, a default then having none. */
bool option_type_quoted(uint32_t type);

/* Checks and resolves a value; false after a mistake. What the setting points to lives in
 * checker->memory. `path` is that of the value. */
bool value_check(struct checker *checker, const struct json_path *path,
                 const struct outbox_option *option, const json_t *value,
                 struct outbox_setting *setting) __attribute__((warn_unused_result));

/* The same for the option's default, which is_set tells to be there. */
bool value_default(struct checker *checker, const struct json_path *path,
                   const struct outbox_option *option, struct outbox_setting *setting)
    __attribute__((warn_unused_result));

/* Calls back with each of "lease|hold". */
void choices_each(const char *choices, void (*each)(void *context, const char *choice),
                  void *context);

/* "integer", "duration", ... for the reference page. */
const char *option_type_text(uint32_t type);

/* "1s to 24h", "lease, hold" or "" if any value of the type will do. Returns `text`. */
const char *option_range_text(const struct outbox_option *option, char *text, size_t size);

/* "a duration from 1s to 24h, such as ...", for a mistake. Returns `text`. */
const char *option_allowed_text(const struct outbox_option *option, char *text, size_t size);

#endif
