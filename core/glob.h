/*
 * glob.h - patterns of rules: '*' is any text, '?' one byte, '\' takes the next one as it is
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_GLOB_H
#define CORE_GLOB_H

#include <outbox/types.h>
#include <stdbool.h>

/* Whether the whole text fits. Letters differ by case; a '*' passes over dots and slashes. */
bool glob_matches(struct outbox_slice pattern, struct outbox_slice text)
    __attribute__((warn_unused_result));

#endif
