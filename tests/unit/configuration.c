/*
 * configuration.c - loads a configuration given as text, for the tests
 * SPDX-License-Identifier: MIT
 */
#include "configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void loaded_init(struct loaded *loaded, const struct config_source *source)
{
    assert_int_equal(unsetenv("OUTBOX_PLUGIN_PATH"), 0);
    *loaded = (struct loaded){.plugins = plugins_new()};
    assert_non_null(loaded->plugins);
    plugins_add_folder(loaded->plugins, TEST_DRIVERS);
    loaded->config = config_load(source, loaded->plugins, &loaded->mistakes);
    assert_true((loaded->config == NULL) == (loaded->mistakes.count > 0));
}

void loaded_init_text(struct loaded *loaded, const char *text)
{
    loaded_init(loaded, &(struct config_source){.text = text});
    for (size_t i = 0; i < loaded->mistakes.count; i++)
        print_error("%s\n", loaded->mistakes.lines[i]);
    assert_non_null(loaded->config);
}

void loaded_clear(struct loaded *loaded)
{
    config_free(&loaded->config);
    mistakes_clear(&loaded->mistakes);
    plugins_free(&loaded->plugins);
}

void assert_accepted(const char *text)
{
    struct loaded loaded;
    loaded_init_text(&loaded, text);
    loaded_clear(&loaded);
}

void assert_mistakes(const struct mistakes *mistakes, va_list lines)
{
    size_t count = 0;
    for (const char *line = va_arg(lines, const char *); line; line = va_arg(lines, const char *)) {
        if (count == mistakes->count)
            fail_msg("this mistake was not noted: %s", line);
        assert_string_equal(mistakes->lines[count++], line);
    }
    if (count < mistakes->count)
        fail_msg("this mistake was not expected: %s", mistakes->lines[count]);
}

static void check_refused(const struct config_source *source, va_list lines)
{
    struct loaded loaded;
    loaded_init(&loaded, source);
    assert_null(loaded.config);
    assert_mistakes(&loaded.mistakes, lines);
    loaded_clear(&loaded);
}

void assert_refused(const char *text, ...)
{
    va_list lines;
    va_start(lines, text);
    check_refused(&(struct config_source){.text = text}, lines);
    va_end(lines);
}

void assert_source_refused(const struct config_source *source, ...)
{
    va_list lines;
    va_start(lines, source);
    check_refused(source, lines);
    va_end(lines);
}

void file_write(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}
