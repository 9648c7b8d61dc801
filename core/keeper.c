/*
 * keeper.c - keeps leases alive, ends expired ones, probes an absent broker
 * SPDX-License-Identifier: MIT
 */
#include "keeper.h"

#include "batch.h"
#include "clock.h"
#include "log.h"
#include "observe.h"
#include "worker.h"

#define CONNECT_TIMEOUT (5 * SECOND)
#define RECONNECT_MIN (100 * MILLISECOND)
#define RECONNECT_MAX (3 * SECOND)
/* Expired leases are looked for four times a lease, within these bounds. */
#define REAP_MIN (250 * MILLISECOND)
#define REAP_MAX (15 * SECOND)
#define REAP_BATCH 1000
#define RENEW_RETRY (250 * MILLISECOND)
#define PROBE_TIMEOUT_MIN (250 * MILLISECOND)
#define PROBE_TIMEOUT_MAX (5 * SECOND)

void keeper_init(struct keeper *keeper, struct pipeline *pipeline)
{
    *keeper =
        (struct keeper){.pipeline = pipeline, .longest_lease = pipeline_tunables(pipeline).lease};
    backoff_init(&keeper->reconnect, RECONNECT_MIN, RECONNECT_MAX);
}

void keeper_clear(struct keeper *keeper)
{
    seat_close(&keeper->pipeline->keeper_seat);
}

static bool leases(const struct keeper *keeper)
{
    return keeper->pipeline->settings->mode == OUTBOX_MODE_LEASE;
}

static const char *store_name(const struct keeper *keeper)
{
    return keeper->pipeline->settings->store.plugin->name;
}

static void lose_session(struct keeper *keeper, const char *doing, enum outbox_status status,
                         const struct outbox_error *error)
{
    pipeline_log_failure(keeper->pipeline, store_name(keeper), doing, status, error);
    keeper_clear(keeper);
    keeper->reconnect_at = clock_now() + backoff_delay(&keeper->reconnect);
}

static void log_schema_line(void *context, uint32_t level, const char *text)
{
    const struct keeper *keeper = context;
    pipeline_log(keeper->pipeline, level, text, FIELD("driver", store_name(keeper)));
}

/* Says at start what is missing and what the relay can therefore not do. */
static void examine(struct keeper *keeper)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    enum outbox_status status = keeper->pipeline->store_ops->schema(
        keeper->pipeline->store, keeper->pipeline->keeper_seat.session, OUTBOX_SCHEMA_CHECK,
        log_schema_line, keeper, &error);

    if (status == OUTBOX_OK || status == OUTBOX_SCHEMA)
        keeper->examined = true;
    if (status != OUTBOX_OK)
        lose_session(keeper, "check the table", status, &error);
}

static bool connected(struct keeper *keeper)
{
    struct pipeline *pipeline = keeper->pipeline;
    struct outbox_error error = OUTBOX_ERROR_INIT;

    if (pipeline->keeper_seat.session)
        return true;
    if (clock_now() < keeper->reconnect_at)
        return false;
    enum outbox_status status =
        seat_open(&pipeline->keeper_seat, pipeline->store, CONNECT_TIMEOUT, &error);
    if (status == OUTBOX_OK)
        return true;
    keeper->reconnect_at = clock_now() + backoff_delay(&keeper->reconnect);
    if (!pipeline->once) /* the workers say it, too, and decide */
        pipeline_log_failure(pipeline, store_name(keeper), "connect (keeps trying)", status,
                             &error);
    return false;
}

/* ---- Leases ------------------------------------------------------------------------------- */

static void lease_lost(void *context, struct lease *lease)
{
    struct pipeline *pipeline = context;
    struct batch *batch = (struct batch *)(void *)((char *)lease - offsetof(struct batch, lease));

    pipeline_log(pipeline, OUTBOX_LOG_WARN, "a lease was lost: what is not sent yet is dropped",
                 FIELD_NUMBER("events", lease->outstanding));
    if (pipeline->publisher_ops->cancel && !batch_is_returned(batch))
        pipeline->publisher_ops->cancel(pipeline->publisher, &batch->view);
}

static bool renew_one(struct keeper *keeper, const struct lease *lease, int64_t duration)
{
    struct pipeline *pipeline = keeper->pipeline;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_settle_result result = {.size = sizeof(result)};
    int64_t from = clock_now();

    enum outbox_status status =
        pipeline->store_ops->renew(pipeline->keeper_seat.session, outbox_slice_of(lease->token),
                                   lease->outstanding, &result, &error);
    observe_store(pipeline, STORAGE_RENEW, from, status);
    if (status != OUTBOX_OK) {
        lose_session(keeper, "renew a lease", status, &error);
        lease_postpone(&pipeline->leases, lease->token, clock_now() + RENEW_RETRY);
        return false;
    }
    backoff_reset(&keeper->reconnect);
    if (result.settled > 0)
        lease_extend(&pipeline->leases, lease->token, from, duration);
    else
        lease_lose(&pipeline->leases, lease->token, from, lease_lost, pipeline);
    return true;
}

static void renew_due(struct keeper *keeper)
{
    struct pipeline *pipeline = keeper->pipeline;
    int64_t duration = pipeline_tunables(pipeline).lease;
    struct lease lease;

    while (lease_due(&pipeline->leases, clock_now(), &lease)) {
        if (!connected(keeper)) {
            lease_postpone(&pipeline->leases, lease.token, clock_now() + RENEW_RETRY);
            continue;
        }
        if (!renew_one(keeper, &lease, duration))
            break;
    }
    lease_lose(&pipeline->leases, NULL, clock_now(), lease_lost, pipeline);
}

/* Leases of an earlier configuration, or of other relays, stay behind also where this one holds. */
static bool reaps(const struct keeper *keeper)
{
    return keeper->pipeline->store_ops->reap != NULL;
}

static int64_t reap_period(const struct keeper *keeper, const struct tunables *tunables)
{
    int64_t period = leases(keeper) ? tunables->lease / 4 : REAP_MAX;
    return period < REAP_MIN ? REAP_MIN : period > REAP_MAX ? REAP_MAX : period;
}

static void reap(struct keeper *keeper)
{
    struct pipeline *pipeline = keeper->pipeline;
    struct tunables tunables = pipeline_tunables(pipeline);
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct outbox_reap_result result = {.size = sizeof(result)};
    if (keeper->longest_lease < tunables.lease)
        keeper->longest_lease = tunables.lease;
    struct outbox_reap_request request = {
        .size = sizeof(request),
        .lease = keeper->longest_lease / MICROSECOND,
        .foreign_lease = tunables.foreign_lease / MICROSECOND,
        .owner_prefix = outbox_slice_of(TOKEN_PREFIX),
        .max_attempts = tunables.max_attempts,
        .base_delay = tunables.base_delay / MICROSECOND,
        .max_delay = tunables.max_delay / MICROSECOND,
        .max_events = REAP_BATCH,
    };

    int64_t started = clock_now();
    enum outbox_status status =
        pipeline->store_ops->reap(pipeline->keeper_seat.session, &request, &result, &error);
    observe_store(pipeline, STORAGE_REAP, started, status);
    if (status != OUTBOX_OK) {
        lose_session(keeper, "end expired leases", status, &error);
        return;
    }
    backoff_reset(&keeper->reconnect);
    uint64_t ended = result.returned + result.dead;
    keeper->reap_at = clock_now() + (ended == REAP_BATCH ? 0 : reap_period(keeper, &tunables));
    if (ended == 0)
        return;
    metrics_add(&pipeline->metrics, LEASES_EXPIRED, 0, ended);
    metrics_add(&pipeline->metrics, EVENTS_DEAD, 0, result.dead);
    pipeline_log(pipeline, OUTBOX_LOG_WARN, "expired leases were ended",
                 FIELD_NUMBER("pending", result.returned), FIELD_NUMBER("dead", result.dead));
}

/* ---- The broker --------------------------------------------------------------------------- */

static void probe(struct keeper *keeper)
{
    struct pipeline *pipeline = keeper->pipeline;
    struct outbox_error error = OUTBOX_ERROR_INIT;
    int64_t timeout = pipeline_tunables(pipeline).lease / 4; /* renewals must not wait for it */

    if (pipeline->once) {
        pipeline_fail(pipeline);
        return;
    }
    timeout = timeout < PROBE_TIMEOUT_MIN   ? PROBE_TIMEOUT_MIN
              : timeout > PROBE_TIMEOUT_MAX ? PROBE_TIMEOUT_MAX
                                            : timeout;
    enum outbox_status status =
        pipeline->publisher_ops->ping(pipeline->publisher, clock_now() + timeout, &error);
    gate_probed(&pipeline->gate, status == OUTBOX_OK);
    if (status != OUTBOX_OK) {
        bool is_news = gate_blame(&pipeline->gate, error.text);
        pipeline_log(pipeline, is_news ? OUTBOX_LOG_WARN : OUTBOX_LOG_DEBUG,
                     "the publisher is still away", FIELD("error", error.text));
        return;
    }
    pipeline_log(pipeline, OUTBOX_LOG_INFO, "the publisher is back, the pipeline resumes");
    pipeline_kick_workers(pipeline);
}

/* ---- Rounds ------------------------------------------------------------------------------- */

void keeper_round(struct keeper *keeper)
{
    struct pipeline *pipeline = keeper->pipeline;
    bool running = pipeline_phase(pipeline) == PHASE_RUN;

    if (clock_now() >= gate_next_probe(&pipeline->gate) && running)
        probe(keeper);
    if (leases(keeper))
        renew_due(keeper);
    if (!running)
        return;
    if (!keeper->examined && connected(keeper))
        examine(keeper);
    if (reaps(keeper) && clock_now() >= keeper->reap_at && connected(keeper))
        reap(keeper);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t keeper_deadline(const struct keeper *keeper)
{
    struct pipeline *pipeline = keeper->pipeline;
    int64_t deadline = lease_next_due(&pipeline->leases);

    if (pipeline_phase(pipeline) != PHASE_RUN)
        return deadline;
    deadline = earlier(deadline, gate_next_probe(&pipeline->gate));
    int64_t wanted = !keeper->examined ? 0 : reaps(keeper) ? keeper->reap_at : NEVER;
    if (!pipeline->keeper_seat.session && wanted < keeper->reconnect_at)
        wanted = keeper->reconnect_at;
    return earlier(deadline, wanted);
}
