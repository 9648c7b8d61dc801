/*
 * claim_arena.c - memory that is filled piece by piece and emptied at once
 * SPDX-License-Identifier: MIT
 */
#include "claim_arena.h"

#include <stdint.h>
#include <stdlib.h>

/* A claim of 500 events of 512 bytes takes five blocks; a larger event gets a block of its own,
 * which goes back to the system afterwards so that one large event does not size the process for
 * ever. */
enum { BLOCK_SIZE = 64 * 1024, BLOCKS_KEPT = 16 };

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    char bytes[];
};

static struct arena_block *block_new(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct arena_block))
        return NULL;
    struct arena_block *block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    block->next = NULL;
    block->size = size;
    block->used = 0;
    return block;
}

static struct arena_block *block_for(struct arena *arena, size_t size)
{
    if (size > BLOCK_SIZE)
        return block_new(size);
    if (!arena->spare)
        return block_new(BLOCK_SIZE);
    struct arena_block *block = arena->spare;
    arena->spare = block->next;
    return block;
}

void *arena_take(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->filling;
    if (!block || block->size - block->used < size) {
        block = block_for(arena, size);
        if (!block)
            return NULL;
        block->next = arena->filling;
        arena->filling = block;
    }
    void *piece = block->bytes + block->used;
    block->used += size;
    arena->taken += size;
    return piece;
}

void arena_empty(struct arena *arena)
{
    size_t kept = 0;
    for (struct arena_block *block = arena->spare; block; block = block->next)
        kept++;
    while (arena->filling) {
        struct arena_block *block = arena->filling;
        arena->filling = block->next;
        if (block->size != BLOCK_SIZE || kept >= BLOCKS_KEPT) {
            free(block);
            continue;
        }
        block->used = 0;
        block->next = arena->spare;
        arena->spare = block;
        kept++;
    }
    arena->taken = 0;
}

void arena_clear(struct arena *arena)
{
    arena_empty(arena);
    while (arena->spare) {
        struct arena_block *block = arena->spare;
        arena->spare = block->next;
        free(block);
    }
}
