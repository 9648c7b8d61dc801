/*
 * page_pipeline.h - one pipeline on the page for people
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HTTP_PAGE_PIPELINE_H
#define CORE_HTTP_PAGE_PIPELINE_H

#include "../view.h"

#include <stdio.h>

/* A section of its own, with the id pipeline-`index`. */
void page_write_pipeline(FILE *out, const struct view_pipeline *pipeline, size_t index);

/* Its state, in a word and a colour. */
void page_write_badge(FILE *out, const struct view_pipeline *pipeline, const char *element);

#endif
