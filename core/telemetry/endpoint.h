/*
 * endpoint.h - a collector's address, as text
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_ENDPOINT_H
#define CORE_TELEMETRY_ENDPOINT_H

#include <stdbool.h>

/* Whether requests can be sent to it. */
bool endpoint_is_address(const char *text);

/* Whether it is one that a path can be added to. */
bool endpoint_is_base(const char *text);

/* Writes an address without what may be secret in it: user, password, query. Returns `text`. */
#define ENDPOINT_TEXT 256
const char *endpoint_shown(const char *endpoint, char text[ENDPOINT_TEXT]);

#endif
