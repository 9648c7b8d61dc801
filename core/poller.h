/*
 * poller.h - the one idle worker that looks for new events on behalf of all
 * SPDX-License-Identifier: MIT
 *
 * Idle workers beyond the first would only repeat its queries. Who has nothing to claim becomes the
 * poller if there is none, and parks otherwise until it is kicked: by a poller that found more than
 * it can take, that stops polling, or by the supervisor.
 */
#ifndef CORE_POLLER_H
#define CORE_POLLER_H

#include "worker.h"

/* Becomes or remains the poller; false if another worker is. */
bool poller_take(struct worker *worker) __attribute__((warn_unused_result));

/* Stops being the poller, if it is, and kicks a parked worker to take over. */
void poller_leave(struct worker *worker);

/* Tells the store that this relay is about to sleep. Returns true if it is news: something may have
 * come before, so the caller polls once more before it sleeps. When armed already this empties the
 * channel, and takes over from another relay that was asleep for both and has gone. */
bool poller_arm(struct worker *worker);
void poller_disarm(struct worker *worker);

/* Kicks one parked worker of the pipeline, if there is one. */
void poller_kick_one(struct pipeline *pipeline);

#endif
