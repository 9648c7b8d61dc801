/*
 * health.h - whether a pipeline is ready, and why not
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HEALTH_H
#define CORE_HEALTH_H

#include "view.h"

struct pipeline;

/* The causes for which it is not ready; none: it is. Any thread. */
size_t health_causes(struct pipeline *pipeline, struct view_cause causes[VIEW_CAUSES]);

/* 1 active, 2 paused, 3 error, by the causes. */
int health_state(const struct view_cause *causes, size_t count);

bool health_has(const struct view_cause *causes, size_t count, const char *name);

/* False: a thread of the pipeline does not come back from a driver; says which. */
bool health_is_alive(struct pipeline *pipeline, char stuck[VIEW_REASON]);

#endif
