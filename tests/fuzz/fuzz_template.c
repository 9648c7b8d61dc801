/*
 * fuzz_template.c - fuzzes templates, patterns and what counts as JSON, each with a judge
 * SPDX-License-Identifier: MIT
 */
#include "template_oracle.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand_none(const char *difference)
{
    if (!difference)
        return;
    (void)fprintf(stderr, "the judge says: %s\n", difference);
    abort();
}

/* The bytes up to the first NUL are the template and the pattern, those behind it a header and the
 * text; all of them may be JSON. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    size_t len = strnlen(bytes, size);
    struct outbox_slice rest = {NULL, 0};
    char *text = strndup(bytes, len);

    if (!text)
        return 0;
    if (len < size)
        rest = (struct outbox_slice){bytes + len + 1, size - len - 1};
    demand_none(template_disagreement(text, rest));
    demand_none(glob_disagreement((struct outbox_slice){bytes, len}, rest));
    demand_none(json_disagreement((struct outbox_slice){bytes, size}));
    free(text);
    return 0;
}
