/*
 * config_memory.c - many small pieces that are freed together
 * SPDX-License-Identifier: MIT
 */
#include "config_memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct piece {
    struct piece *next;
    size_t len;
    alignas(max_align_t) unsigned char bytes[];
};

struct config_memory {
    struct piece *pieces;
};

struct config_memory *config_memory_new(void)
{
    return calloc(1, sizeof(struct config_memory));
}

void config_memory_free(struct config_memory **memory)
{
    if (!*memory)
        return;
    struct piece *piece = (*memory)->pieces;
    while (piece) {
        struct piece *next = piece->next;
        explicit_bzero(piece->bytes, piece->len);
        free(piece);
        piece = next;
    }
    free(*memory);
    *memory = NULL;
}

void *config_memory_take(struct config_memory *memory, size_t count, size_t size)
{
    size_t len;
    if (__builtin_mul_overflow(count, size, &len) || len > SIZE_MAX - sizeof(struct piece))
        return NULL;
    struct piece *piece = calloc(1, sizeof *piece + len);
    if (!piece)
        return NULL;
    piece->len = len;
    piece->next = memory->pieces;
    memory->pieces = piece;
    return piece->bytes;
}

char *config_memory_copy(struct config_memory *memory, const char *bytes, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = config_memory_take(memory, len + 1, 1);
    if (copy)
        memcpy(copy, bytes, len);
    return copy;
}
