/*
 * poller.c - the one idle worker that looks for new events on behalf of all
 * SPDX-License-Identifier: MIT
 */
#include "poller.h"

#include "clock.h"

#define ARM_RETRY (5 * SECOND)

bool poller_take(struct worker *worker)
{
    struct pipeline *pipeline = worker->pipeline;

    pthread_mutex_lock(&pipeline->poller_lock);
    if (!pipeline->poller)
        pipeline->poller = worker;
    bool mine = pipeline->poller == worker;
    pthread_mutex_unlock(&pipeline->poller_lock);
    return mine;
}

void poller_leave(struct worker *worker)
{
    struct pipeline *pipeline = worker->pipeline;

    poller_disarm(worker);
    pthread_mutex_lock(&pipeline->poller_lock);
    bool mine = pipeline->poller == worker;
    if (mine)
        pipeline->poller = NULL;
    pthread_mutex_unlock(&pipeline->poller_lock);
    if (mine)
        poller_kick_one(pipeline);
}

bool poller_arm(struct worker *worker)
{
    const struct pipeline *pipeline = worker->pipeline;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    bool was_armed = worker->armed;

    if (!pipeline->settings->notify || !pipeline->store_ops->wake_arm ||
        clock_now() < worker->arm_at)
        return false;
    enum outbox_status status =
        pipeline->store_ops->wake_arm(pipeline->store, &worker->wake_fd, &error);
    worker->armed = status == OUTBOX_OK;
    if (worker->armed)
        return !was_armed;
    worker->wake_fd = -1;
    worker->arm_at = clock_now() + ARM_RETRY;
    pipeline_log_failure(pipeline, pipeline->settings->store.plugin->name,
                         "wait for a wake-up (polling goes on)", status, &error);
    return false;
}

void poller_disarm(struct worker *worker)
{
    const struct pipeline *pipeline = worker->pipeline;

    if (!worker->armed)
        return;
    worker->armed = false;
    worker->wake_fd = -1;
    if (pipeline->store_ops->wake_disarm)
        pipeline->store_ops->wake_disarm(pipeline->store);
}

void poller_kick_one(struct pipeline *pipeline)
{
    for (uint64_t i = 0; i < pipeline->worker_count; i++) {
        if (atomic_load(&pipeline->workers[i].parked)) {
            worker_kick(&pipeline->workers[i]);
            return;
        }
    }
}
