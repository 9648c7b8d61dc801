/*
 * gate.h - whether the publisher is there: pauses a pipeline while its broker is away
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_GATE_H
#define CORE_GATE_H

#include "backoff.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct gate {
    _Atomic bool shut;
    pthread_mutex_t lock;
    struct backoff backoff; /* under lock, like what follows */
    int64_t next_probe;
    char reason[256];
};

void gate_init(struct gate *gate);
void gate_clear(struct gate *gate);

static inline bool gate_is_open(const struct gate *gate)
{
    return !atomic_load_explicit(&gate->shut, memory_order_acquire);
}

/* The broker is away. Returns true if the gate was open until now. Any thread. */
bool gate_shut(struct gate *gate, const char *reason, uint64_t reason_len);

/* When to ask the broker next; NEVER while the gate is open. */
int64_t gate_next_probe(struct gate *gate);

/* What the broker answered: opens the gate, or sets the next probe. */
void gate_probed(struct gate *gate, bool there);

/* The broker acknowledged something: the next absence begins with short waits again. */
void gate_acked(struct gate *gate);

/* Copies the reason of the last absence. */
void gate_reason(struct gate *gate, char *text, size_t size);

#endif
