/*
 * lookout.c - looks at the table and the publisher from aside: what waits, whether it moves
 * SPDX-License-Identifier: MIT
 */
#include "lookout.h"

#include "clock.h"
#include "observe.h"
#include "pipeline.h"

#define LOOK_EVERY SECOND
/* Counting takes at most this part of a connection's time, unless it takes very long: the figures
 * are never older than that by choice. */
#define COST_SHARE 200
#define COUNT_MAX (5 * SECOND)
/* Between the database's clock and ours, from one count to the next. */
#define DOUBT (100 * MILLISECOND)
#define CONNECT_TIMEOUT (3 * SECOND)
/* A publisher that nothing was heard of for so long is asked whether it is there. */
#define SILENCE (3 * SECOND)
#define PING_TIMEOUT (3 * SECOND)

static bool is_running(const struct lookout *lookout)
{
    return !atomic_load(&lookout->over) && pipeline_phase(lookout->pipeline) == PHASE_RUN;
}

/* ---- The table ----------------------------------------------------------------------------- */

static enum outbox_status connected(struct lookout *lookout, struct outbox_error *error)
{
    struct pipeline *pipeline = lookout->pipeline;
    int64_t started = clock_now();

    if (lookout->seat.session)
        return OUTBOX_OK;
    enum outbox_status status = seat_open(&lookout->seat, pipeline->store, CONNECT_TIMEOUT, error);
    observe_store(pipeline, STORAGE_CONNECT, started, clock_now(), status);
    return status;
}

static enum outbox_status count(struct lookout *lookout, struct outbox_store_stats *stats,
                                struct outbox_error *error)
{
    struct pipeline *pipeline = lookout->pipeline;
    enum outbox_status status = connected(lookout, error);

    if (status != OUTBOX_OK)
        return status;
    if (!is_running(lookout)) /* said while there was no session that could be interrupted */
        return OUTBOX_INTERRUPTED;
    if (!pipeline->store_ops->stats)
        return pipeline->store_ops->ping(lookout->seat.session, error);
    int64_t started = clock_now();
    status = pipeline->store_ops->stats(lookout->seat.session, stats, error);
    observe_store(pipeline, STORAGE_STATS, started, clock_now(), status);
    return status;
}

static void keep_count(struct lookout *lookout, const struct outbox_store_stats *stats)
{
    pthread_mutex_lock(&lookout->lock);
    lookout->stats = *stats;
    lookout->counted_at = clock_now();
    pthread_mutex_unlock(&lookout->lock);
}

/* Other relays may do all the work: then the oldest due event is another one each time. The clocks
 * and the time that the answer took leave some doubt, so small differences add up first. An event
 * that is due since earlier is no movement, but the movement after it counts from there: one came
 * back, the database's clock was set, or the answer before took long and seemed later than it was.
 */
static void judge_table(struct lookout *lookout, int64_t oldest_age, int64_t took)
{
    int64_t due = clock_now() - oldest_age * MICROSECOND;

    lookout->table_waits = oldest_age >= 0;
    lookout->table_moved = !lookout->table_waits || due - lookout->oldest_due > took + DOUBT;
    if (!lookout->table_waits)
        lookout->oldest_due = 0;
    else if (lookout->table_moved || due < lookout->oldest_due)
        lookout->oldest_due = due;
}

/* Who holds events is shown beside the counts; that it cannot be told is, too, and hurts nothing
 * else, unless it is the session that is lost. */
static enum outbox_status look_at_holders(struct lookout *lookout, struct outbox_error *error)
{
    struct pipeline *pipeline = lookout->pipeline;
    struct holders holders;
    int64_t started = clock_now();

    atomic_store(&lookout->asked_at, started);
    enum outbox_status status = holders_read(&holders, pipeline->store_ops, lookout->seat.session,
                                             pipeline->config->relay_id, error);
    if (status == OUTBOX_INTERRUPTED)
        return status;
    if (status != OUTBOX_UNSUPPORTED)
        observe_store(pipeline, STORAGE_HOLDERS, started, clock_now(), status);
    pthread_mutex_lock(&lookout->lock);
    lookout->holders = holders;
    pthread_mutex_unlock(&lookout->lock);
    return status == OUTBOX_UNAVAILABLE ? status : OUTBOX_OK;
}

/* Returns when to look again. */
static int64_t look_at_table(struct lookout *lookout)
{
    struct vitals *vitals = &lookout->pipeline->vitals;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_store_stats stats = {.size = sizeof(stats), .pending = -1, .oldest_age = -1};
    int64_t started = clock_now();

    atomic_store(&lookout->asked_at, started);
    enum outbox_status status = count(lookout, &stats, &error);
    if (status == OUTBOX_OK) {
        if (lookout->pipeline->store_ops->stats)
            keep_count(lookout, &stats);
        judge_table(lookout, stats.oldest_age, clock_now() - started);
        status = look_at_holders(lookout, &error);
    }
    atomic_store(&lookout->asked_at, 0);
    if (status == OUTBOX_OK) {
        vitals_well(vitals, TROUBLE_LOOKING);
        int64_t now = clock_now(), rest = (now - started) * COST_SHARE;
        return now + (rest < COUNT_MAX ? rest : COUNT_MAX);
    }
    if (status != OUTBOX_INTERRUPTED) {
        if (!atomic_load(&vitals->in_trouble[TROUBLE_LOOKING]))
            pipeline_log_failure(lookout->pipeline, lookout->pipeline->settings->store.plugin->name,
                                 "look at the table (keeps trying)", status, &error);
        vitals_trouble(vitals, TROUBLE_LOOKING, error.text);
    }
    seat_close(&lookout->seat);
    return 0;
}

/* ---- Movement ------------------------------------------------------------------------------ */

static void judge_movement(struct lookout *lookout)
{
    const struct vitals *vitals = &lookout->pipeline->vitals;
    int64_t progressed = atomic_load(&vitals->progressed_at);
    bool in_flight = atomic_load(&vitals->in_flight) > 0;
    bool waits = lookout->table_waits || in_flight;
    bool moved = progressed != lookout->progress_seen || (!in_flight && lookout->table_moved);

    lookout->progress_seen = progressed;
    pthread_mutex_lock(&lookout->lock);
    if (!waits)
        lookout->stuck_since = 0;
    else if (moved || lookout->stuck_since == 0)
        lookout->stuck_since = clock_now();
    pthread_mutex_unlock(&lookout->lock);
}

/* While events flow the publisher is heard of, and one that is away is probed by the supervisor. */
static void look_at_publisher(struct lookout *lookout)
{
    struct pipeline *pipeline = lookout->pipeline;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    int64_t now = clock_now(), heard = atomic_load(&pipeline->vitals.progressed_at);
    bool in_trouble = atomic_load(&pipeline->vitals.in_trouble[TROUBLE_PUBLISHER]);

    if (now - heard < SILENCE) {
        vitals_well(&pipeline->vitals, TROUBLE_PUBLISHER);
        return;
    }
    if (!gate_is_open(&pipeline->gate) || atomic_load(&pipeline->vitals.in_flight) > 0 ||
        (!in_trouble && now - lookout->pinged_at < SILENCE))
        return;
    lookout->pinged_at = now;
    atomic_store(&lookout->pinging_since, now);
    enum outbox_status status =
        pipeline->publisher_ops->ping(pipeline->publisher, now + PING_TIMEOUT, &error);
    atomic_store(&lookout->pinging_since, 0);
    if (status == OUTBOX_OK)
        vitals_well(&pipeline->vitals, TROUBLE_PUBLISHER);
    else
        vitals_trouble(&pipeline->vitals, TROUBLE_PUBLISHER, error.text);
}

/* ---- Steps --------------------------------------------------------------------------------- */

static void read_storage(const struct metrics *metrics, enum storage_op op,
                         struct histogram_reading *reading)
{
    metrics_read_histogram(metrics, STORAGE_LATENCY, op * STORAGE_STATUS_COUNT + STORAGE_SUCCESS,
                           reading);
}

static void read_step(const struct metrics *metrics, struct lookout_step *step)
{
    struct histogram_reading both;

    step->at = clock_now();
    step->delivered = metrics_read(metrics, EVENTS_DELIVERED, 0);
    step->failed = metrics_read(metrics, EVENTS_TOTAL, EVENTS_FAILED);
    metrics_read_histogram(metrics, EVENTS_E2E_LATENCY, 0, &step->e2e);
    metrics_read_histogram(metrics, PUBLISHER_LATENCY, PUBLISHER_SUCCESS, &step->publish);
    read_storage(metrics, STORAGE_CLAIM, &step->claim);
    read_storage(metrics, STORAGE_SETTLE, &step->settle);
    read_storage(metrics, STORAGE_SETTLE_AND_CLAIM, &both);
    histogram_join(&step->settle, &both);
}

static void take_step(struct lookout *lookout)
{
    struct lookout_step step;

    read_step(&lookout->pipeline->metrics, &step);
    pthread_mutex_lock(&lookout->lock);
    lookout->steps[lookout->step_count++ % LOOKOUT_STEPS] = step;
    pthread_mutex_unlock(&lookout->lock);
}

/* ---- The thread ---------------------------------------------------------------------------- */

static void *lookout_main(void *argument)
{
    struct lookout *lookout = argument;
    int64_t count_at = 0;

    while (is_running(lookout)) {
        int64_t next = clock_now() + LOOK_EVERY;
        if (clock_now() >= count_at)
            count_at = look_at_table(lookout);
        judge_movement(lookout);
        look_at_publisher(lookout);
        take_step(lookout);
        while (is_running(lookout) && clock_now() < next)
            (void)bell_wait(&lookout->bell, -1, next);
    }
    seat_close(&lookout->seat);
    return NULL;
}

bool lookout_init(struct lookout *lookout, struct pipeline *pipeline)
{
    *lookout = (struct lookout){.pipeline = pipeline};
    seat_init(&lookout->seat, pipeline->store_ops);
    pthread_mutex_init(&lookout->lock, NULL);
    return bell_init(&lookout->bell);
}

bool lookout_start(struct lookout *lookout)
{
    if (pthread_create(&lookout->thread, NULL, lookout_main, lookout) == 0)
        return true;
    lookout->thread = 0;
    return false;
}

void lookout_stop(struct lookout *lookout)
{
    bell_ring(&lookout->bell);
    seat_interrupt(&lookout->seat);
}

void lookout_join(struct lookout *lookout)
{
    if (!lookout->thread)
        return;
    atomic_store(&lookout->over, true);
    lookout_stop(lookout);
    pthread_join(lookout->thread, NULL);
    lookout->thread = 0;
}

void lookout_clear(struct lookout *lookout)
{
    bell_clear(&lookout->bell);
    pthread_mutex_destroy(&lookout->lock);
    seat_clear(&lookout->seat);
}

/* ---- For others ---------------------------------------------------------------------------- */

bool lookout_stats(struct lookout *lookout, struct outbox_store_stats *stats, int64_t *counted_at)
{
    pthread_mutex_lock(&lookout->lock);
    *stats = lookout->stats;
    *counted_at = lookout->counted_at;
    pthread_mutex_unlock(&lookout->lock);
    return *counted_at != 0;
}

void lookout_holders(struct lookout *lookout, struct holders *holders)
{
    pthread_mutex_lock(&lookout->lock);
    *holders = lookout->holders;
    pthread_mutex_unlock(&lookout->lock);
}

int64_t lookout_stuck_for(struct lookout *lookout)
{
    pthread_mutex_lock(&lookout->lock);
    int64_t since = lookout->stuck_since, counted_at = lookout->counted_at;
    pthread_mutex_unlock(&lookout->lock);
    int64_t progressed = atomic_load(&lookout->pipeline->vitals.progressed_at);
    if (since == 0)
        return 0;
    if (since < progressed)
        since = progressed; /* the thread may be counting for long and not have seen it */
    /* A count from before the last movement does not know whether anything still waits. */
    if (counted_at <= since && atomic_load(&lookout->pipeline->vitals.in_flight) == 0)
        return 0;
    return clock_now() - since;
}

int64_t lookout_asked_at(const struct lookout *lookout)
{
    return atomic_load(&lookout->asked_at);
}

int64_t lookout_pinging_since(const struct lookout *lookout)
{
    return atomic_load(&lookout->pinging_since);
}

bool lookout_steps(struct lookout *lookout, int64_t ago, struct lookout_step *from,
                   struct lookout_step *to)
{
    /* Not the latest step: while a count takes long there is none. */
    read_step(&lookout->pipeline->metrics, to);
    pthread_mutex_lock(&lookout->lock);
    uint64_t at = lookout->step_count;
    uint64_t oldest = at > LOOKOUT_STEPS ? at - LOOKOUT_STEPS : 0;
    bool found = at > 0;
    if (found) {
        do
            at--;
        while (at > oldest && to->at - lookout->steps[at % LOOKOUT_STEPS].at < ago);
        *from = lookout->steps[at % LOOKOUT_STEPS];
    }
    pthread_mutex_unlock(&lookout->lock);
    return found && to->at - from->at >= LOOK_EVERY / 2; /* less says little */
}
