/*
 * health.c - whether a pipeline is ready, and why not
 * SPDX-License-Identifier: MIT
 */
#include "health.h"

#include "clock.h"
#include "pipeline.h"
#include "worker.h"

#include <stdio.h>
#include <string.h>

/* Who has not answered the lookout for so long is not there. */
#define UNANSWERED (4 * SECOND)
/* No driver may stay longer than this beyond what the configuration allows it. */
#define STUCK_AFTER (60 * SECOND)

static struct view_cause *add(struct view_cause causes[VIEW_CAUSES], size_t *count,
                              const char *name)
{
    struct view_cause *cause = &causes[(*count)++];
    *cause = (struct view_cause){.name = name};
    return cause;
}

static bool unanswered(int64_t since, const char *who, char reason[VIEW_REASON])
{
    int64_t waited = clock_now() - since;

    if (since == 0 || waited < UNANSWERED)
        return false;
    (void)snprintf(reason, VIEW_REASON, "the %s has not answered for %lld s", who,
                   (long long)(waited / SECOND));
    return true;
}

static bool store_trouble(struct pipeline *pipeline, char reason[VIEW_REASON])
{
    int64_t since = lookout_asked_at(&pipeline->lookout);
    int64_t claimed_at = atomic_load(&pipeline->claimed_at);

    if (vitals_reason(&pipeline->vitals, TROUBLE_STORE, reason))
        return true;
    if (claimed_at != 0 && clock_now() - claimed_at < UNANSWERED)
        return false; /* counting is slow, or refused, but the store answers */
    if (vitals_reason(&pipeline->vitals, TROUBLE_LOOKING, reason))
        return true;
    if (since != 0 && since < claimed_at)
        since = claimed_at;
    return unanswered(since, "store", reason);
}

static bool publisher_trouble(struct pipeline *pipeline, char reason[VIEW_REASON])
{
    if (gate_is_open(&pipeline->gate))
        return vitals_reason(&pipeline->vitals, TROUBLE_PUBLISHER, reason) ||
               unanswered(lookout_pinging_since(&pipeline->lookout), "publisher", reason);
    gate_reason(&pipeline->gate, reason, VIEW_REASON);
    return true;
}

static void add_stall(struct pipeline *pipeline, struct view_cause causes[VIEW_CAUSES],
                      size_t *count)
{
    int64_t stuck = lookout_stuck_for(&pipeline->lookout);

    if (stuck == 0 || stuck < pipeline->config->stall_after)
        return;
    (void)snprintf(add(causes, count, "stalled")->reason, VIEW_REASON,
                   "events wait and nothing has moved for %lld s: %llu in flight",
                   (long long)(stuck / SECOND),
                   (unsigned long long)atomic_load(&pipeline->vitals.in_flight));
}

size_t health_causes(struct pipeline *pipeline, struct view_cause causes[VIEW_CAUSES])
{
    size_t count = 0;
    char reason[VIEW_REASON];

    if (atomic_load(&pipeline->ended)) {
        (void)snprintf(add(causes, &count, "ended")->reason, VIEW_REASON, "the pipeline has ended");
        return count;
    }
    if (pipeline_phase(pipeline) != PHASE_RUN)
        (void)snprintf(add(causes, &count, "stopping")->reason, VIEW_REASON, "the relay stops");
    if (vitals_reason(&pipeline->vitals, TROUBLE_OPENING, reason) ||
        (!atomic_load(&pipeline->opened) && snprintf(reason, VIEW_REASON, "drivers are opened")))
        memcpy(add(causes, &count, "starting")->reason, reason, VIEW_REASON);
    if (store_trouble(pipeline, reason))
        memcpy(add(causes, &count, "store")->reason, reason, VIEW_REASON);
    if (publisher_trouble(pipeline, reason))
        memcpy(add(causes, &count, "publisher")->reason, reason, VIEW_REASON);
    if (count > 0)
        return count;
    if (atomic_load(&pipeline->claimed_at) == 0) /* drivers may be open before they connect */
        (void)snprintf(add(causes, &count, "starting")->reason, VIEW_REASON,
                       "the store has answered no claim yet");
    else
        add_stall(pipeline, causes, &count);
    return count;
}

bool health_has(const struct view_cause *causes, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(causes[i].name, name) == 0)
            return true;
    return false;
}

int health_state(const struct view_cause *causes, size_t count)
{
    if (health_has(causes, count, "store") || health_has(causes, count, "starting") ||
        health_has(causes, count, "ended"))
        return 3;
    return health_has(causes, count, "publisher") ? 2 : 1;
}

/* ---- Loops --------------------------------------------------------------------------------- */

static bool is_stuck(int64_t since, int64_t allowed, const char *who, char stuck[VIEW_REASON])
{
    if (since == 0 || clock_now() - since < allowed)
        return false;
    (void)snprintf(stuck, VIEW_REASON, "%s has not moved for %lld s", who,
                   (long long)((clock_now() - since) / SECOND));
    return true;
}

bool health_is_alive(struct pipeline *pipeline, char stuck[VIEW_REASON])
{
    int64_t allowed = pipeline_tunables(pipeline).publish_timeout + STUCK_AFTER;
    char who[160];
    bool found;

    (void)snprintf(who, sizeof(who), "pipeline %s: the supervisor", pipeline->settings->name);
    found = is_stuck(atomic_load(&pipeline->busy_since), allowed, who, stuck);
    if (!found) {
        (void)snprintf(who, sizeof(who), "pipeline %s: the lookout", pipeline->settings->name);
        found = is_stuck(lookout_pinging_since(&pipeline->lookout), allowed, who, stuck);
    }
    pthread_mutex_lock(&pipeline->workers_lock);
    for (uint64_t i = 0; !found && i < pipeline->worker_count; i++) {
        (void)snprintf(who, sizeof(who), "pipeline %s: worker %llu", pipeline->settings->name,
                       (unsigned long long)i + 1);
        found = is_stuck(atomic_load(&pipeline->workers[i].busy_since), allowed, who, stuck);
    }
    pthread_mutex_unlock(&pipeline->workers_lock);
    return !found;
}
