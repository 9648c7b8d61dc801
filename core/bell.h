/*
 * bell.h - the one way in which a thread waits: for a ring, a descriptor or a time
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_BELL_H
#define CORE_BELL_H

#include <stdbool.h>
#include <stdint.h>

/* One thread waits, any thread rings. A ring before the wait is not lost; several count as one. */
struct bell {
    int fd;
};

bool bell_init(struct bell *bell) __attribute__((warn_unused_result));
void bell_clear(struct bell *bell);
void bell_ring(struct bell *bell);

/* Waits until the bell rings, `fd` (unless -1) is readable or `deadline` (monotonic ns, NEVER:
 * none) passes. Returns true if `fd` was readable or broken. */
bool bell_wait(struct bell *bell, int fd, int64_t deadline);

#endif
