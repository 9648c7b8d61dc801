/*
 * edit_distance.h - how far one name is from another, to guess what was meant
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_EDIT_DISTANCE_H
#define PLUGINS_COMMON_EDIT_DISTANCE_H

#include <outbox/types.h>

/* The number of letters to insert, drop or change; only the first 32 of each are looked at. */
size_t edit_distance(struct outbox_slice a, struct outbox_slice b);

#endif
