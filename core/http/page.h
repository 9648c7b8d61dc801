/*
 * page.h - the page for people
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HTTP_PAGE_H
#define CORE_HTTP_PAGE_H

#include "../view.h"

/* The page with the figures of a view, which the caller frees; NULL if memory ran out. */
char *page_text(const struct view *view, size_t *length) __attribute__((warn_unused_result));

/* What build_page.py makes of page.html: what stands before and behind the figures, and the policy
 * that lets nothing run or be fetched but what the page itself brings. */
extern const char page_before[], page_behind[], page_policy[];
extern const size_t page_before_length, page_behind_length;

#endif
