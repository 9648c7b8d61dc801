/*
 * publisher_nosymbol.c - a shared object that is no driver
 * SPDX-License-Identifier: MIT
 */
#include <outbox/plugin.h>

OUTBOX_EXPORT int nosymbol_answer(void);

int nosymbol_answer(void)
{
    return 42;
}
