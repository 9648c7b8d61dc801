/*
 * checker.h - collects the mistakes of a configuration, each with its place
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CHECKER_H
#define CORE_CHECKER_H

#include "config.h"
#include "config_memory.h"

#include <jansson.h>

/* Where in the document a value stands: a chain on the stack, the root being NULL. */
struct json_path {
    const struct json_path *parent;
    const char *key; /* of an object, or NULL: */
    size_t index;    /* of an array */
};

struct checker {
    struct mistakes *mistakes;
    struct config_memory *memory; /* takes what the configuration keeps */
    const struct config_source *source;
    bool failed; /* at least one mistake, also one that could not be noted */
};

/* Notes "PATH: text". Always returns false, so that a check can end with it. */
bool mistake(struct checker *checker, const struct json_path *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool mistake_no_memory(struct checker *checker);

/* Writes pipelines[0].claim.batch_size, cut to fit. Returns `text`. */
const char *json_path_format(const struct json_path *path, char *text, size_t size);

/* Writes a value as it is found in the file, on one line and cut to fit; objects and arrays only by
 * their kind. Of a secret only "(secret)" is told. Returns `text`. */
const char *json_describe(const json_t *value, bool secret, char *text, size_t size);

/* Joins words to "a, b, c" as long as they fit. `text` begins as "". */
void list_append(char *text, size_t size, const char *word);

#endif
