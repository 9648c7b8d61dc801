/*
 * source.c - a running relay as the source of what HTTP answers
 * SPDX-License-Identifier: MIT
 */
#include "source.h"

#include "../telemetry/prometheus.h"

static struct view *take_view(void *context)
{
    return view_take(context);
}

static char *take_metrics(void *context, size_t *length)
{
    return prometheus_text(context, length);
}

struct http_source http_source_of(struct relay *relay)
{
    return (struct http_source){take_view, take_metrics, relay};
}
