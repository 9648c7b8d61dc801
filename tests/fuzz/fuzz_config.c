/*
 * fuzz_config.c - no text crashes the reading of a configuration, or is refused without a reason
 * SPDX-License-Identifier: MIT
 */
#include "config.h"
#include "plugins.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Drivers are loaded once: what is fuzzed is the file, and --set, which is what follows a NUL. */
static struct plugins *drivers(void)
{
    static struct plugins *plugins;
    if (!plugins) {
        plugins = plugins_new();
        if (!plugins)
            abort();
        plugins_add_folder(plugins, TEST_DRIVERS);
    }
    return plugins;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mistakes mistakes = {NULL, 0};
    char *text = malloc(len + 2);
    if (!text)
        abort();
    memcpy(text, bytes, len);
    memset(text + len, 0, 2);
    const char *set[] = {text + strlen(text) + 1};
    const struct config_source source = {
        .text = text, .set = set, .set_count = strlen(text) < len ? 1 : 0};
    struct config *config = config_load(&source, drivers(), &mistakes);
    if ((config == NULL) != (mistakes.count > 0))
        abort();
    for (size_t i = 0; i < mistakes.count; i++) {
        if (strpbrk(mistakes.lines[i], "\n\r"))
            abort();
    }
    config_free(&config);
    mistakes_clear(&mistakes);
    free(text);
    return 0;
}
