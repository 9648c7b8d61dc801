/*
 * reference.h - the configuration's reference page, out of the tables that check it
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_REFERENCE_H
#define CORE_REFERENCE_H

#include "plugins.h"

#include <stdio.h>

/* Writes the page as Markdown: the core's keys and those of every driver that can be loaded. Errors
 * of the stream are the caller's to look for. */
void reference_write(FILE *out, struct plugins *plugins);

#endif
