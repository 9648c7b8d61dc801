/*
 * configuration.h - loads a configuration given as text, for the tests
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_CONFIGURATION_H
#define TESTS_CONFIGURATION_H

/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config.h"
#include "plugins.h"

struct loaded {
    struct plugins *plugins;
    struct config *config; /* NULL: refused */
    struct mistakes mistakes;
};

/* A pipeline of the sample drivers, `extra` being further keys of it: ", \"claim\": {}". */
#define PIPELINE(extra)                                                                            \
    "{\"pipelines\": [{\"name\": \"orders\", \"store\": {\"driver\": \"sample\", \"url\": \"u\"}," \
    " \"publisher\": {\"driver\": \"sample\"}" extra "}]}"

/* The drivers are those of the tests alone. */
void loaded_init(struct loaded *loaded, const struct config_source *source);
void loaded_init_text(struct loaded *loaded, const char *text);
void loaded_clear(struct loaded *loaded);

/* Fails the test unless the text is accepted, or refused with exactly these lines (NULL ends). */
void assert_accepted(const char *text);
void assert_refused(const char *text, ...) __attribute__((sentinel));
void assert_mistakes(const struct mistakes *mistakes, va_list lines);
void assert_source_refused(const struct config_source *source, ...) __attribute__((sentinel));

/* Writes a file that the test removes. */
void file_write(const char *path, const void *bytes, size_t len);

#endif
