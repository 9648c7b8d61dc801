/*
 * probes.h - what /healthz and /readyz answer
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HTTP_PROBES_H
#define CORE_HTTP_PROBES_H

#include "../view.h"

/* JSON text that the caller frees, NULL if memory ran out. What decides on the status beside it is
 * view->alive and view->ready. */
char *health_text(const struct view *view) __attribute__((warn_unused_result));
char *readiness_text(const struct view *view) __attribute__((warn_unused_result));

#endif
