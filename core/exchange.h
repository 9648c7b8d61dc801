/*
 * exchange.h - a worker's dealings with the store: claim, settle, or both in one trip
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_EXCHANGE_H
#define CORE_EXCHANGE_H

#include "worker.h"

/* Settles what is known of `settled` (NULL: nothing) and, with `claim`, claims the next batch and
 * hands it to the publisher. A failure of the store is logged, closes the session and schedules a
 * new one. */
void exchange(struct worker *worker, struct batch *settled, bool claim);

/* Ends the session after a failure. */
void exchange_lost_session(struct worker *worker, const char *doing, enum outbox_status status,
                           const struct outbox_error *error);

/* Frees settled batches that the driver has returned meanwhile; with `all`, every one. */
void exchange_bury_zombies(struct worker *worker, bool all);

/* Forgets a batch that cannot be settled: its events stay claimed until their lease expires. */
void exchange_drop(struct worker *worker, struct batch *batch);

#endif
