/*
 * arena.h - memory that is taken piece by piece and given back all at once
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stddef.h>

struct arena_block;

/* One thread at a time. */
struct arena {
    struct arena_block *first, *current;
    size_t block_size;
};

/* Takes no memory yet. Blocks hold `block_size` bytes each, or more where one piece needs more; 0
 * picks a size of its own. */
void arena_init(struct arena *arena, size_t block_size);

/* A piece aligned for any type, never initialised; it stays where it is until arena_reset() or
 * arena_clear(). NULL if the memory is used up. A piece of 0 bytes has an address, too. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((warn_unused_result));

/* Takes all pieces back and keeps the blocks for the next ones. */
void arena_reset(struct arena *arena);

/* Takes all pieces back and frees the blocks; the arena can be used again. */
void arena_clear(struct arena *arena);

#endif
