/*
 * view.c - a relay as an operator sees it at one moment
 * SPDX-License-Identifier: MIT
 */
#include "view.h"

#include <stdlib.h>

void view_free(struct view **view)
{
    free(*view);
    *view = NULL;
}
