/*
 * figures.h - a relay's figures as JSON: what /stats answers
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HTTP_FIGURES_H
#define CORE_HTTP_FIGURES_H

#include "../view.h"

#include <jansson.h>

/* The whole view as JSON text that the caller frees, NULL if memory ran out. */
char *figures_all(const struct view *view) __attribute__((warn_unused_result));

/* Why a pipeline is not ready, which readiness tells, too; NULL if memory ran out. */
json_t *figures_causes(const struct view_pipeline *pipeline);

#endif
