/*
 * gate.c - whether the publisher is there: pauses a pipeline while its broker is away
 * SPDX-License-Identifier: MIT
 */
#include "gate.h"

#include "clock.h"

#include <stdio.h>
#include <string.h>

/* Long enough to leave a struggling broker alone, short enough to resume soon after it is back. */
#define PROBE_MIN (100 * MILLISECOND)
#define PROBE_MAX (2 * SECOND)

void gate_init(struct gate *gate)
{
    *gate = (struct gate){.next_probe = NEVER};
    pthread_mutex_init(&gate->lock, NULL);
    backoff_init(&gate->backoff, PROBE_MIN, PROBE_MAX);
}

void gate_clear(struct gate *gate)
{
    pthread_mutex_destroy(&gate->lock);
}

bool gate_shut(struct gate *gate, const char *reason, uint64_t reason_len)
{
    bool was_open = false;

    if (!gate_is_open(gate))
        return false;
    pthread_mutex_lock(&gate->lock);
    if (gate_is_open(gate)) {
        was_open = true;
        if (reason_len >= sizeof(gate->reason))
            reason_len = sizeof(gate->reason) - 1;
        (void)snprintf(gate->reason, sizeof(gate->reason), "%.*s", (int)reason_len,
                       reason ? reason : "");
        gate->next_probe = clock_now() + backoff_delay(&gate->backoff);
        atomic_store_explicit(&gate->unproven, true, memory_order_relaxed);
        atomic_store_explicit(&gate->shut, true, memory_order_release);
    }
    pthread_mutex_unlock(&gate->lock);
    return was_open;
}

int64_t gate_next_probe(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    int64_t next = gate_is_open(gate) ? NEVER : gate->next_probe;
    pthread_mutex_unlock(&gate->lock);
    return next;
}

void gate_probed(struct gate *gate, bool there)
{
    pthread_mutex_lock(&gate->lock);
    if (there)
        atomic_store_explicit(&gate->shut, false, memory_order_release);
    else
        gate->next_probe = clock_now() + backoff_delay(&gate->backoff);
    pthread_mutex_unlock(&gate->lock);
}

bool gate_acked(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    backoff_reset(&gate->backoff);
    pthread_mutex_unlock(&gate->lock);
    return atomic_exchange(&gate->unproven, false);
}

void gate_reason(struct gate *gate, char *reason, size_t size)
{
    pthread_mutex_lock(&gate->lock);
    (void)snprintf(reason, size, "%s", gate->reason);
    pthread_mutex_unlock(&gate->lock);
}

bool gate_blame(struct gate *gate, const char *reason)
{
    pthread_mutex_lock(&gate->lock);
    bool is_new = strncmp(gate->reason, reason, sizeof(gate->reason) - 1) != 0;
    (void)snprintf(gate->reason, sizeof(gate->reason), "%s", reason);
    pthread_mutex_unlock(&gate->lock);
    return is_new;
}
