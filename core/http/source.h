/*
 * source.h - a running relay as the source of what HTTP answers
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HTTP_SOURCE_H
#define CORE_HTTP_SOURCE_H

#include "routes.h"

struct relay;

/* Good while the relay's pipelines are there, all of them started. */
struct http_source http_source_of(struct relay *relay);

#endif
