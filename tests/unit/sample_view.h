/*
 * sample_view.h - a view filled by hand, with what a real relay rarely shows at once
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SAMPLE_VIEW_H
#define TESTS_SAMPLE_VIEW_H

#include "http/routes.h"

/* Markup, quotes, a control character and bytes that are no UTF-8. */
#define HOSTILE "<script>alert(1)</script>\"' onload=x &amp; \x1b[31m \xff\xc3 \xe2\x80\xae"

/* Three pipelines: one at work, one whose publisher is away, one in error that has never counted
 * and whose every text is hostile. `turn` makes figures move. The caller frees it. */
struct view *sample_view(uint64_t turn);

/* One pipeline that has done nothing yet: no figure is known. */
struct view *sample_view_empty(void);

#endif
