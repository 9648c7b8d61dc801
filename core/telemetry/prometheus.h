/*
 * prometheus.h - the figures in Prometheus' text format
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_PROMETHEUS_H
#define CORE_TELEMETRY_PROMETHEUS_H

#include <stddef.h>

struct relay;

/* All figures of a relay, as /metrics answers; the caller frees the text. NULL if memory ran out.
 * Any thread, while the relay runs. */
char *prometheus_text(struct relay *relay, size_t *len) __attribute__((warn_unused_result));

#endif
