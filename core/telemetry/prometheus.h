/*
 * prometheus.h - the figures in Prometheus' text format
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_PROMETHEUS_H
#define CORE_TELEMETRY_PROMETHEUS_H

#include <stddef.h>

struct relay;

/* Version 0.0.4 of the format. The caller frees it; NULL if memory ran out. Any thread, as
 * points_visit(). */
char *prometheus_text(struct relay *relay, size_t *len) __attribute__((warn_unused_result));

#endif
