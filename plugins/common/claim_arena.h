/*
 * claim_arena.h - memory that is filled piece by piece and emptied at once
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_CLAIM_ARENA_H
#define PLUGINS_COMMON_CLAIM_ARENA_H

#include <stddef.h>

struct arena_block;

/* All zero is an empty arena. What was taken stays at its address until the next arena_empty(). */
struct arena {
    struct arena_block *filling; /* newest first */
    struct arena_block *spare;
    size_t taken;
};

/* NULL when memory is out. Never NULL for size 0. */
void *arena_take(struct arena *arena, size_t size) __attribute__((warn_unused_result));

/* Forgets everything, and keeps a bounded amount of memory for next time. */
void arena_empty(struct arena *arena);
void arena_clear(struct arena *arena);

#endif
