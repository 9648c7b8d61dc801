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
#include <stddef.h>

struct gate {
    _Atomic bool shut;
    _Atomic bool unproven; /* since it was shut nothing has been answered */
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

/* Whether the broker has answered for an event since it was away. One that answers and takes
 * nothing is tried with few events, or all of them would be claimed and released again and again.
 */
static inline bool gate_is_proven(const struct gate *gate)
{
    return !atomic_load_explicit(&gate->unproven, memory_order_relaxed);
}

/* The broker is away. Returns true if the gate was open until now. Any thread. */
bool gate_shut(struct gate *gate, const char *reason, uint64_t reason_len);

/* When to ask the broker next; NEVER while the gate is open. */
int64_t gate_next_probe(struct gate *gate);

/* What the broker answered: opens the gate, or sets the next probe. */
void gate_probed(struct gate *gate, bool there);

/* The broker answered for an event: the next absence begins with short waits again. Returns true
 * if it had to be proven. */
bool gate_acked(struct gate *gate);

/* Notes why the broker is away. Returns true if that is not what was known. */
bool gate_blame(struct gate *gate, const char *reason);

/* Why it is shut. */
void gate_reason(struct gate *gate, char *reason, size_t size);

#endif
