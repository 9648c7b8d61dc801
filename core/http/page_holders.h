/*
 * page_holders.h - who works at a pipeline's table, on the page for people
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HTTP_PAGE_HOLDERS_H
#define CORE_HTTP_PAGE_HOLDERS_H

#include "../holders.h"

#include <stdio.h>

/* Nothing before the table was looked at. */
void page_write_holders(FILE *out, const struct holders *holders);

#endif
