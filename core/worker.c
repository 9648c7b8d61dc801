/*
 * worker.c - claims, publishes and settles, with many batches in flight
 * SPDX-License-Identifier: MIT
 */
#include "worker.h"

#include "clock.h"
#include "exchange.h"
#include "log.h"
#include "observe.h"
#include "poller.h"

#include <stdlib.h>

#define CONNECT_TIMEOUT (5 * SECOND)
#define RECONNECT_MIN (100 * MILLISECOND)
#define RECONNECT_MAX (3 * SECOND)

bool worker_init(struct worker *worker, struct pipeline *pipeline)
{
    *worker = (struct worker){
        .pipeline = pipeline, .hungry = true, .claim_limit = FIRST_CLAIM, .wake_fd = -1};
    seat_init(&worker->seat, pipeline->store_ops);
    backoff_init(&worker->reconnect, RECONNECT_MIN, RECONNECT_MAX);
    random_init(&worker->random);
    worker->token_seed = random_next(&worker->random);
    return bell_init(&worker->bell);
}

void worker_clear(struct worker *worker)
{
    struct batch *batch;

    while ((batch = worker->in_flight)) {
        worker->in_flight = batch->next;
        batch->next = worker->zombies;
        worker->zombies = batch;
    }
    exchange_bury_zombies(worker, true);
    seat_close(&worker->seat);
    batch_free(&worker->spare);
    free(worker->settlements);
    bell_clear(&worker->bell);
    seat_clear(&worker->seat);
}

void worker_kick(struct worker *worker)
{
    atomic_store(&worker->kicked, true);
    bell_ring(&worker->bell);
}

void worker_interrupt(struct worker *worker)
{
    seat_interrupt(&worker->seat);
}

/* ---- Session ------------------------------------------------------------------------------ */

static void worker_connect(struct worker *worker)
{
    struct pipeline *pipeline = worker->pipeline;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    int64_t now = clock_now(), left = pipeline_phase_ends(pipeline) - now;
    enum outbox_status status = seat_open(&worker->seat, pipeline->store,
                                          left < CONNECT_TIMEOUT ? left : CONNECT_TIMEOUT, &error);

    observe_store(pipeline, STORAGE_CONNECT, now, status);
    if (status != OUTBOX_OK) {
        exchange_lost_session(worker, "connect (keeps trying)", status, &error);
        return;
    }
    vitals_well(&pipeline->vitals, TROUBLE_STORE);
    worker->hungry = true;
}

/* ---- What to do next ---------------------------------------------------------------------- */

static bool has_capacity(const struct worker *worker, const struct batch *leaving)
{
    const struct pipeline *pipeline = worker->pipeline;
    const struct tunables *tunables = &worker->tunables;
    uint64_t in_flight = worker->in_flight_events - (leaving ? leaving->count : 0);
    uint64_t bytes = worker->in_flight_bytes - (leaving ? leaving->bytes : 0);
    uint64_t limit = tunables->max_in_flight;

    if (in_flight == 0)
        return true;
    if (!gate_is_proven(&pipeline->gate))
        return false;
    if (pipeline->settings->mode == OUTBOX_MODE_HOLD)
        return false; /* a session holds one transaction */
    if (pipeline->limits.max_in_flight && pipeline->limits.max_in_flight < limit)
        limit = pipeline->limits.max_in_flight;
    return in_flight + worker->claim_limit <= limit / pipeline->worker_count &&
           bytes < tunables->max_in_flight_bytes / pipeline->worker_count;
}

static bool may_claim(const struct worker *worker, const struct batch *leaving)
{
    return worker->hungry && pipeline_phase(worker->pipeline) == PHASE_RUN &&
           gate_is_open(&worker->pipeline->gate) && has_capacity(worker, leaving);
}

/* The oldest batch that should be settled now. */
static struct batch *pick_ready(const struct worker *worker, int64_t now)
{
    bool partial = worker->pipeline->settings->mode == OUTBOX_MODE_LEASE;

    for (struct batch *batch = worker->in_flight; batch; batch = batch->next) {
        if (batch_is_decided(batch))
            return batch;
        if (!partial || now < batch->partial_at)
            continue;
        for (uint64_t i = 0; i < batch->count; i++)
            if (batch_outcome(batch, i) != OUTCOME_OPEN && !batch->events[i].settled)
                return batch;
        batch->partial_at = now + PARTIAL_AFTER;
    }
    return NULL;
}

static void give_up_overdue(struct worker *worker, int64_t now)
{
    struct pipeline *pipeline = worker->pipeline;

    for (struct batch *batch = worker->in_flight; batch; batch = batch->next) {
        if (batch->given_up || now < batch->give_up_at || batch_is_returned(batch))
            continue;
        pipeline_log(pipeline, OUTBOX_LOG_WARN,
                     "the publisher left messages unanswered beyond publish.timeout",
                     FIELD_NUMBER("events", batch->view.count - atomic_load(&batch->completed)));
        if (pipeline->publisher_ops->cancel)
            pipeline->publisher_ops->cancel(pipeline->publisher, &batch->view);
        batch_decide_open(batch, OUTCOME_TIMED_OUT);
    }
}

/* The shutdown's second step. Decided before the cancel, so that no attempt is charged for it. */
static void release_open(struct worker *worker)
{
    struct pipeline *pipeline = worker->pipeline;

    for (struct batch *batch = worker->in_flight; batch; batch = batch->next) {
        if (batch->given_up || batch_is_returned(batch))
            continue;
        batch_decide_open(batch, OUTCOME_SHUTDOWN);
        if (pipeline->publisher_ops->cancel)
            pipeline->publisher_ops->cancel(pipeline->publisher, &batch->view);
    }
}

/* Mode hold, session lost: the rows are free again and the broker's answers come too late. */
static void drop_stranded(struct worker *worker)
{
    for (struct batch *batch = worker->in_flight, *next; batch; batch = next) {
        next = batch->next;
        if (batch->stranded && batch_is_decided(batch))
            exchange_drop(worker, batch);
    }
}

/* ---- Waiting ------------------------------------------------------------------------------ */

static int64_t batch_deadline(const struct worker *worker)
{
    bool partial = worker->pipeline->settings->mode == OUTBOX_MODE_LEASE;
    int64_t deadline = NEVER;

    for (const struct batch *batch = worker->in_flight; batch; batch = batch->next) {
        if (batch_is_decided(batch))
            continue; /* waits for the session alone, which has its own time */
        if (batch->give_up_at < deadline)
            deadline = batch->give_up_at;
        if (partial && worker->seat.session && batch->partial_at < deadline)
            deadline = batch->partial_at;
    }
    return deadline;
}

/* The one place in which a worker waits for anything but a driver. */
static bool rest(struct worker *worker, int fd, int64_t deadline)
{
    atomic_store_explicit(&worker->busy_since, 0, memory_order_relaxed);
    bool woken = bell_wait(&worker->bell, fd, deadline);
    atomic_store_explicit(&worker->busy_since, clock_now(), memory_order_relaxed);
    return woken;
}

static void wait_as_poller(struct worker *worker, int64_t deadline)
{
    if (worker->poll_at < deadline)
        deadline = worker->poll_at;
    bool woken = rest(worker, worker->wake_fd, deadline);
    if (!woken && clock_now() < worker->poll_at)
        return;
    if (woken)
        worker->poll_interval = worker->tunables.poll_min;
    /* Empties the channel, before the claim so that nothing is missed between the two. */
    if (worker->armed)
        poller_arm(worker);
    worker->hungry = true;
}

/* Leaves the polling to another worker. That one may be stuck in publish(): then this one claims.
 */
static void park(struct worker *worker, bool could_poll, int64_t deadline)
{
    int64_t patience = 2 * worker->tunables.poll_max;
    int64_t overdue = atomic_load(&worker->pipeline->claimed_at) + patience;

    if (could_poll && clock_now() >= overdue) {
        worker->hungry = true;
        return;
    }
    atomic_store(&worker->parked, could_poll);
    (void)rest(worker, -1, could_poll && overdue < deadline ? overdue : deadline);
    atomic_store(&worker->parked, false);
}

static void worker_wait(struct worker *worker)
{
    struct pipeline *pipeline = worker->pipeline;
    int64_t deadline = batch_deadline(worker);
    int64_t phase_ends = pipeline_phase_ends(pipeline);
    bool could_poll = worker->seat.session && pipeline_phase(pipeline) == PHASE_RUN &&
                      gate_is_open(&pipeline->gate) && has_capacity(worker, NULL);

    if (phase_ends < deadline)
        deadline = phase_ends;
    if (!worker->seat.session && worker->reconnect_at < deadline)
        deadline = worker->reconnect_at;
    if (!could_poll)
        poller_leave(worker);
    if (could_poll && poller_take(worker)) {
        if (!worker->armed && poller_arm(worker))
            worker->hungry = true; /* once more: something may have come before we armed */
        else
            wait_as_poller(worker, deadline);
        return;
    }
    park(worker, could_poll, deadline);
}

/* ---- The thread --------------------------------------------------------------------------- */

static bool is_finished(const struct worker *worker)
{
    enum pipeline_phase phase = pipeline_phase(worker->pipeline);

    if (phase == PHASE_ABANDON)
        return true;
    if (worker->in_flight)
        return false;
    /* While the broker is away there are events that it gave back: then a run ends as a failure. */
    return phase != PHASE_RUN || (worker->drained && gate_is_open(&worker->pipeline->gate));
}

static void worker_round(struct worker *worker)
{
    struct pipeline *pipeline = worker->pipeline;
    int64_t now = clock_now();

    atomic_store_explicit(&worker->busy_since, now, memory_order_relaxed);
    worker->tunables = pipeline_tunables(pipeline);
    if (atomic_exchange(&worker->kicked, false))
        worker->hungry = true;
    if (pipeline_phase(pipeline) == PHASE_RELEASE)
        release_open(worker);
    give_up_overdue(worker, now);
    drop_stranded(worker);
    if (!worker->seat.session && now >= worker->reconnect_at &&
        (worker->in_flight || pipeline_phase(pipeline) == PHASE_RUN))
        worker_connect(worker);
    if (!worker->seat.session) {
        worker_wait(worker);
        return;
    }
    exchange_bury_zombies(worker, false);
    struct batch *ready = pick_ready(worker, now);
    /* A settling that failed is tried alone: perhaps it was the claim beside it that failed. */
    bool claim = !(ready && ready->settle_failures > 0) &&
                 may_claim(worker, ready && batch_is_decided(ready) ? ready : NULL);
    if (ready || claim)
        exchange(worker, ready, claim);
    else
        worker_wait(worker);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct pipeline *pipeline = worker->pipeline;

    while (!is_finished(worker))
        worker_round(worker);
    poller_leave(worker);
    for (const struct batch *batch = worker->in_flight; batch; batch = batch->next)
        pipeline_log(pipeline, OUTBOX_LOG_WARN,
                     "out of time: events are left to their lease and will be delivered again",
                     FIELD_NUMBER("events", batch->count - batch->settled));
    atomic_store(&worker->busy_since, 0);
    atomic_fetch_sub(&pipeline->live_workers, 1);
    bell_ring(&pipeline->bell);
    return NULL;
}

bool worker_start(struct worker *worker)
{
    return pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
}
