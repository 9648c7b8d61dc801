/*
 * metrics_page.h - the reference page of what the relay measures
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_METRICS_PAGE_H
#define CORE_TELEMETRY_METRICS_PAGE_H

#include <stdio.h>

/* docs/metrics.md. Look at ferror(out) afterwards. */
void metrics_page_write(FILE *out);

#endif
