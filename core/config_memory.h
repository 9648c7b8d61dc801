/*
 * config_memory.h - many small pieces that are freed together
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CONFIG_MEMORY_H
#define CORE_CONFIG_MEMORY_H

#include <stddef.h>

/* Owns what is taken from it. Everything is overwritten before it is freed: a configuration holds
 * secrets. */
struct config_memory;

struct config_memory *config_memory_new(void) __attribute__((warn_unused_result));
void config_memory_free(struct config_memory **memory);

/* `count` zeroed elements of `size` bytes, NULL when there is no memory left. A count of 0 still
 * gives a pointer. */
void *config_memory_take(struct config_memory *memory, size_t count, size_t size)
    __attribute__((warn_unused_result));

/* A NUL-terminated copy of `len` bytes. */
char *config_memory_copy(struct config_memory *memory, const char *bytes, size_t len)
    __attribute__((warn_unused_result));

#endif
