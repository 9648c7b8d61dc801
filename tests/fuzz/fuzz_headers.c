/*
 * fuzz_headers.c - fuzzes the header parser, with jansson as the judge
 * SPDX-License-Identifier: MIT
 */
#include "headers_oracle.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *difference = headers_disagreement((const char *)data, size, NULL);
    if (difference) {
        (void)fprintf(stderr, "the parsers disagree: %s\n", difference);
        abort();
    }
    return 0;
}
