/*
 * arena.c - memory that is taken piece by piece and given back all at once
 * SPDX-License-Identifier: MIT
 */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#define ARENA_ALIGNMENT alignof(max_align_t)
#define ARENA_DEFAULT_BLOCK ((size_t)16 * 1024)

struct arena_block {
    struct arena_block *next;
    size_t capacity, used;
    alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t block_size)
{
    arena->first = NULL;
    arena->current = NULL;
    arena->block_size = block_size ? block_size : ARENA_DEFAULT_BLOCK;
}

static struct arena_block *block_new(size_t capacity)
{
    if (capacity > PTRDIFF_MAX - sizeof(struct arena_block))
        return NULL;
    struct arena_block *block = malloc(sizeof(*block) + capacity);
    if (!block)
        return NULL;
    block->next = NULL;
    block->capacity = capacity;
    block->used = 0;
    return block;
}

/* Makes a block with room for `size` bytes the current one. A kept block that is too small makes
 * way for a larger one, so an arena that is reset over and over does not grow without end. */
static struct arena_block *block_after_current(struct arena *arena, size_t size)
{
    struct arena_block **place = arena->current ? &arena->current->next : &arena->first;
    struct arena_block *kept = *place;
    if (kept && kept->capacity >= size) {
        kept->used = 0;
        return kept;
    }
    struct arena_block *block = block_new(size > arena->block_size ? size : arena->block_size);
    if (!block)
        return NULL;
    block->next = kept ? kept->next : NULL;
    *place = block;
    free(kept);
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - ARENA_ALIGNMENT)
        return NULL;
    size =
        size ? (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT : ARENA_ALIGNMENT;
    struct arena_block *block = arena->current;
    if (!block || block->capacity - block->used < size) {
        block = block_after_current(arena, size);
        if (!block)
            return NULL;
        arena->current = block;
    }
    void *piece = block->bytes + block->used;
    block->used += size;
    return piece;
}

void arena_reset(struct arena *arena)
{
    arena->current = NULL;
}

void arena_clear(struct arena *arena)
{
    while (arena->first) {
        struct arena_block *block = arena->first;
        arena->first = block->next;
        free(block);
    }
    arena->current = NULL;
}
