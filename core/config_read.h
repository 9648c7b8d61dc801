/*
 * config_read.h - from text to a JSON document, before any key is looked at
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CONFIG_READ_H
#define CORE_CONFIG_READ_H

#include "checker.h"

/* The document of a source, with --set applied. NULL or an incomplete one after a mistake. The
 * caller releases it with json_decref(). */
json_t *config_read(struct checker *checker, const struct config_source *source)
    __attribute__((warn_unused_result));

/* Applies one "a.b.0.c=VALUE" to the document. A dot inside a key is written "\.". */
bool config_set(struct checker *checker, json_t *document, const char *assignment)
    __attribute__((warn_unused_result));

/* The value of `path` as a --set has it, word for word, if that is where it comes from; else NULL.
 * For keys that are text: the word null or 5 is JSON too, but was not meant so. */
const char *config_set_text(const struct checker *checker, const struct json_path *path);

#endif
