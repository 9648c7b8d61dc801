/*
 * exchange.c - a worker's dealings with the store: claim, settle, or both in one trip
 * SPDX-License-Identifier: MIT
 */
#include "exchange.h"

#include "batch_spans.h"
#include "clock.h"
#include "log.h"
#include "observe.h"
#include "poller.h"
#include "verdict.h"

#include <stdlib.h>

/* A claim of large payloads is kept to about so many bytes, by the average of the claim before. */
#define CLAIM_BYTES ((uint64_t)8 << 20)
#define CLAIM_GROWTH 4
#define SETTLE_TRIES 5
/* While events come one by one a wake-up for each is cheap, and going to sleep anew is not. With
 * more at a time producers are left in peace. */
#define TRICKLE 2
/* A driver has the deadline; the relay waits a little longer before it decides on its own. */
#define GIVE_UP_GRACE (2 * SECOND)
#define RECONNECT_TRIES_ONCE 6

/* One trip to the store: what was asked of it, and what came back. */
struct trip {
    struct batch *settled; /* NULL: it only claims */
    struct outbox_settle_request settle;
    struct outbox_settle_result result;
    struct verdict_counts counts;
    char token[TOKEN_MAX + 1];
    struct outbox_claim_request request;
    struct outbox_claim *claimed;
    bool both;           /* settled and claimed by one call */
    int64_t from, until; /* the latest call, monotonic */
};

void exchange_lost_session(struct worker *worker, const char *doing, enum outbox_status status,
                           const struct outbox_error *error)
{
    struct pipeline *pipeline = worker->pipeline;

    if (status != OUTBOX_INTERRUPTED)
        vitals_trouble(&pipeline->vitals, TROUBLE_STORE, error->text);
    if (pipeline_phase(pipeline) != PHASE_ABANDON)
        pipeline_log_failure(pipeline, pipeline->settings->store.plugin->name, doing, status,
                             error);
    poller_leave(worker);
    seat_close(&worker->seat);
    if (pipeline->settings->mode == OUTBOX_MODE_HOLD)
        for (struct batch *batch = worker->in_flight; batch; batch = batch->next)
            batch->stranded = true;
    worker->reconnect_at = clock_now() + backoff_delay(&worker->reconnect);
    worker->failures++;
    if (pipeline->once &&
        (status != OUTBOX_UNAVAILABLE || worker->failures >= RECONNECT_TRIES_ONCE))
        pipeline_fail(pipeline);
}

/* ---- Batches ------------------------------------------------------------------------------ */

static void batch_retire(struct worker *worker, struct batch *batch)
{
    worker->pipeline->store_ops->claim_close(worker->seat.session, batch->claim);
    batch->claim = NULL;
    if (worker->spare)
        batch_free(&batch);
    else
        worker->spare = batch;
}

/* Out of the list of batches in flight: to be reused, or kept until the driver lets go of it. */
static void batch_take_out(struct worker *worker, struct batch *batch)
{
    struct batch **link = &worker->in_flight;

    while (*link != batch)
        link = &(*link)->next;
    *link = batch->next;
    worker->in_flight_events -= batch->count;
    worker->in_flight_bytes -= batch->bytes;
    if (worker->pipeline->settings->mode == OUTBOX_MODE_LEASE)
        lease_leave(&worker->pipeline->leases, &batch->lease);
    if (batch_is_returned(batch) && worker->seat.session) {
        batch_retire(worker, batch);
    } else {
        batch->next = worker->zombies;
        worker->zombies = batch;
    }
}

void exchange_bury_zombies(struct worker *worker, bool all)
{
    for (struct batch **link = &worker->zombies; *link;) {
        struct batch *batch = *link;
        if (all || batch_is_returned(batch)) {
            *link = batch->next;
            batch_retire(worker, batch);
        } else {
            link = &batch->next;
        }
    }
}

void exchange_drop(struct worker *worker, struct batch *batch)
{
    observe_lost(worker->pipeline, batch->count - batch->settled);
    batch_take_out(worker, batch);
}

static struct batch *batch_spare(struct worker *worker)
{
    struct pipeline *pipeline = worker->pipeline;
    struct batch *batch = worker->spare;

    worker->spare = NULL;
    return batch ? batch : batch_new(&pipeline->gate, &pipeline->bell, &worker->bell);
}

/* ---- Settling ----------------------------------------------------------------------------- */

static bool settlements_reserve(struct worker *worker, uint64_t count)
{
    if (count <= worker->settlement_capacity)
        return true;
    void *grown = realloc(worker->settlements, count * sizeof(*worker->settlements));
    if (!grown)
        return false;
    worker->settlements = grown;
    worker->settlement_capacity = count;
    return true;
}

/* What the outcomes tell of the broker and of the store. */
static void heed_outcomes(struct pipeline *pipeline, const struct verdict_counts *counts,
                          const struct outbox_settle_result *result)
{
    bool answered = counts->delivered > 0 || counts->retried + counts->dead > counts->unknown;
    if (answered && gate_acked(&pipeline->gate))
        pipeline_kick_workers(pipeline);
    if (result->stale > 0)
        pipeline_log(pipeline, OUTBOX_LOG_WARN,
                     "events were not ours any more when they were settled: they may be delivered "
                     "twice",
                     FIELD_NUMBER("events", result->stale));
}

static void log_dead(const struct worker *worker, const struct batch *batch, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const struct outbox_settlement *settlement = &worker->settlements[i];
        const struct outbox_event *event = outbox_claim_at(batch->claim, settlement->index);
        char id[80], reason[300];
        if (settlement->verdict != OUTBOX_SETTLE_DEAD)
            continue;
        (void)snprintf(id, sizeof(id), "%.*s", (int)event->id.len, event->id.data);
        (void)snprintf(reason, sizeof(reason), "%.*s", (int)settlement->error.len,
                       settlement->error.data ? settlement->error.data : "");
        pipeline_log(worker->pipeline, OUTBOX_LOG_ERROR, "event is DEAD", FIELD("event_id", id),
                     FIELD("reason", reason));
    }
}

static void settle_done(struct worker *worker, const struct trip *trip)
{
    struct pipeline *pipeline = worker->pipeline;
    struct batch *batch = trip->settled;
    uint64_t count = trip->settle.count;
    const struct settled_batch settled = {.batch = batch,
                                          .settlements = worker->settlements,
                                          .count = count,
                                          .counts = &trip->counts,
                                          .stale = trip->result.stale,
                                          .from = trip->from,
                                          .until = trip->until,
                                          .is_last = batch->settled + count == batch->count};

    observe_settled(pipeline, &settled);
    if (tracer_is_on(&worker->tracer))
        batch_spans_send(&worker->tracer, pipeline, &settled);
    heed_outcomes(pipeline, &trip->counts, &trip->result);
    if (trip->counts.dead > 0)
        log_dead(worker, batch, count);
    for (uint64_t i = 0; i < count; i++)
        batch->events[worker->settlements[i].index].settled = true;
    batch->settled += count;
    if (!settled.is_last) {
        lease_settled(&pipeline->leases, &batch->lease, count);
        batch->partial_at = clock_now() + PARTIAL_AFTER;
        return;
    }
    batch_take_out(worker, batch);
}

/* A batch that the store refuses again and again, though it is reachable, would stop all others. */
static void settle_failed(struct worker *worker, struct batch *batch, enum outbox_status status)
{
    if (status == OUTBOX_UNAVAILABLE)
        return;
    worker->settle_refused = true;
    if (++batch->settle_failures < SETTLE_TRIES)
        return;
    pipeline_log(worker->pipeline, OUTBOX_LOG_ERROR,
                 "a batch cannot be settled: its events are left to their lease",
                 FIELD_NUMBER("events", batch->count - batch->settled));
    exchange_drop(worker, batch);
}

/* ---- Claiming ----------------------------------------------------------------------------- */

static struct outbox_claim_request claim_request(struct worker *worker, char *token)
{
    const struct tunables *tunables = &worker->tunables;
    uint64_t max_payload = tunables->max_payload;
    const struct pipeline *pipeline = worker->pipeline;

    if (pipeline->limits.max_payload && pipeline->limits.max_payload < max_payload)
        max_payload = pipeline->limits.max_payload;
    if (!gate_is_proven(&pipeline->gate) && worker->claim_limit > FIRST_CLAIM)
        worker->claim_limit = FIRST_CLAIM;
    if (worker->claim_limit > tunables->batch_size)
        worker->claim_limit = tunables->batch_size;
    lease_token_make(token, pipeline->config->relay_id, worker->token_seed, ++worker->claim_number);
    return (struct outbox_claim_request){
        .size = sizeof(struct outbox_claim_request),
        .max_events = worker->claim_limit,
        .max_payload = max_payload,
        .token = outbox_slice_of(token),
        .flags = worker->from_start ? (uint32_t)OUTBOX_CLAIM_FROM_START : 0,
    };
}

static void adapt_claim_limit(struct worker *worker, const struct batch *batch)
{
    uint64_t fitting = CLAIM_BYTES / (batch->bytes / batch->count + 1) + 1;
    uint64_t limit = worker->claim_limit * CLAIM_GROWTH;
    if (limit > fitting)
        limit = fitting;
    worker->claim_limit = limit < worker->tunables.batch_size ? limit : worker->tunables.batch_size;
}

static void claimed_nothing(struct worker *worker)
{
    const struct tunables *tunables = &worker->tunables;

    worker->hungry = false;
    if (worker->poll_interval < tunables->poll_min)
        worker->poll_interval = tunables->poll_min;
    worker->poll_at = clock_now() + worker->poll_interval;
    worker->poll_interval *= 2;
    if (worker->poll_interval > tunables->poll_max)
        worker->poll_interval = tunables->poll_max;
    if (!worker->pipeline->once)
        return;
    if (worker->from_start) {
        worker->drained = true;
        return;
    }
    worker->from_start = worker->hungry = true;
}

static void publish(struct worker *worker, struct batch *batch)
{
    struct pipeline *pipeline = worker->pipeline;
    struct outbox_error error = OUTBOX_ERROR_INIT;

    if (batch->view.count == 0)
        return;
    batch->published_at = clock_now();
    enum outbox_status status =
        pipeline->publisher_ops->publish(pipeline->publisher, &batch->view, &error);
    if (status == OUTBOX_OK)
        return;
    batch_refuse(batch, &error);
    if (gate_shut(&pipeline->gate, error.text, strlen(error.text))) {
        pipeline_log_failure(pipeline, pipeline->settings->publisher.plugin->name,
                             "publish (the pipeline pauses)", status, &error);
        bell_ring(&pipeline->bell);
    }
}

static void append_in_flight(struct worker *worker, struct batch *batch)
{
    struct batch **link = &worker->in_flight;

    while (*link)
        link = &(*link)->next;
    batch->next = NULL;
    *link = batch;
    worker->in_flight_events += batch->count;
    worker->in_flight_bytes += batch->bytes;
}

/* No memory for a batch: the claim is given back by losing its session, or left to its lease. */
static void claim_without_memory(struct worker *worker, struct outbox_claim *claim)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    enum outbox_status status =
        outbox_fail(&error, OUTBOX_INTERNAL, "ENOMEM", "out of memory for %llu claimed events",
                    (unsigned long long)claim->count);

    worker->pipeline->store_ops->claim_close(worker->seat.session, claim);
    exchange_lost_session(worker, "take up a claim", status, &error);
}

static void claim_done(struct worker *worker, const struct trip *trip)
{
    struct pipeline *pipeline = worker->pipeline;
    struct outbox_claim *claim = trip->claimed;
    const struct tunables *tunables = &worker->tunables;
    uint64_t asked = worker->claim_limit;
    int64_t now = clock_now();

    if (claim->count == 0) {
        pipeline->store_ops->claim_close(worker->seat.session, claim);
        claimed_nothing(worker);
        return;
    }
    worker->hungry = true;
    worker->from_start = false;
    worker->poll_interval = tunables->poll_min;

    struct batch *batch = batch_spare(worker);
    uint64_t max_payload = tunables->max_payload;
    if (pipeline->limits.max_payload && pipeline->limits.max_payload < max_payload)
        max_payload = pipeline->limits.max_payload;
    if (!batch || !batch_fill(batch, claim, pipeline->settings->route, max_payload,
                              now + tunables->publish_timeout,
                              tracer_is_on(&worker->tracer) ? &worker->tracer : NULL)) {
        batch_free(&batch);
        claim_without_memory(worker, claim);
        return;
    }
    adapt_claim_limit(worker, batch);
    batch->partial_at = now + PARTIAL_AFTER;
    batch->give_up_at = now + tunables->publish_timeout + GIVE_UP_GRACE;
    batch->claim_from = trip->from;
    batch->claim_until = trip->until;
    (void)snprintf(batch->lease.token, sizeof(batch->lease.token), "%s", trip->token);
    append_in_flight(worker, batch);
    observe_claim(pipeline, batch);
    if (pipeline->settings->mode == OUTBOX_MODE_LEASE)
        lease_enter(&pipeline->leases, &batch->lease, trip->from, tunables->lease, batch->count);
    if (claim->count == asked)
        poller_kick_one(pipeline);
    publish(worker, batch);
    if (claim->count > TRICKLE)
        poller_disarm(worker);
}

/* ---- One trip ----------------------------------------------------------------------------- */

static bool prepare_settle(struct worker *worker, struct trip *trip)
{
    struct batch *batch = trip->settled;

    if (!settlements_reserve(worker, batch->count)) {
        pipeline_log(worker->pipeline, OUTBOX_LOG_ERROR,
                     "out of memory: a batch is left to its lease");
        exchange_drop(worker, batch);
        return false;
    }
    trip->settle = (struct outbox_settle_request){
        .size = sizeof(trip->settle),
        .claim = batch->claim,
        .settlements = worker->settlements,
        .settlement_size = sizeof(*worker->settlements),
        .count = verdicts_gather(batch, &worker->tunables, &worker->random, worker->settlements,
                                 &trip->counts)};
    return true;
}

/* With the claim in the same trip, where the store can. */
static bool settle(struct worker *worker, struct trip *trip, bool claim)
{
    struct pipeline *pipeline = worker->pipeline;
    const struct outbox_store_ops *ops = pipeline->store_ops;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    enum outbox_status status;

    trip->from = clock_now();
    trip->both = claim && ops->settle_and_claim;
    if (trip->both)
        status = ops->settle_and_claim(worker->seat.session, &trip->settle, &trip->result,
                                       &trip->request, &trip->claimed, &error);
    else
        status = ops->settle(worker->seat.session, &trip->settle, &trip->result, &error);
    trip->until = clock_now();
    observe_store(pipeline, trip->both ? STORAGE_SETTLE_AND_CLAIM : STORAGE_SETTLE, trip->from,
                  trip->until, status);
    if (status != OUTBOX_OK) {
        exchange_lost_session(worker, "settle events", status, &error);
        settle_failed(worker, trip->settled, status);
        return false;
    }
    worker->settle_refused = false;
    settle_done(worker, trip);
    return true;
}

static bool claim_alone(struct worker *worker, struct trip *trip)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;

    trip->from = clock_now();
    enum outbox_status status = worker->pipeline->store_ops->claim(
        worker->seat.session, &trip->request, &trip->claimed, &error);
    trip->until = clock_now();
    observe_store(worker->pipeline, STORAGE_CLAIM, trip->from, trip->until, status);
    if (status == OUTBOX_OK)
        return true;
    exchange_lost_session(worker, "claim events", status, &error);
    return false;
}

static void store_answered(struct worker *worker)
{
    struct pipeline *pipeline = worker->pipeline;

    if (worker->failures > 0)
        pipeline_log(pipeline, OUTBOX_LOG_INFO, "the store is back");
    worker->failures = 0;
    vitals_well(&pipeline->vitals, TROUBLE_STORE);
    /* A store that gives events and refuses what became of them must not get them sent in a loop.
     */
    if (!worker->settle_refused)
        backoff_reset(&worker->reconnect);
}

void exchange(struct worker *worker, struct batch *settled, bool claim)
{
    struct trip trip = {.settled = settled, .result = {.size = sizeof(trip.result)}};

    trip.request = claim_request(worker, trip.token);
    if (settled && (!prepare_settle(worker, &trip) || !settle(worker, &trip, claim)))
        return;
    if (claim && !trip.both && !claim_alone(worker, &trip))
        return;
    store_answered(worker);
    if (!claim)
        return;
    atomic_store(&worker->pipeline->claimed_at, trip.until);
    claim_done(worker, &trip);
}
