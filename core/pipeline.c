/*
 * pipeline.c - one store, one publisher, and the threads between them
 * SPDX-License-Identifier: MIT
 */
#include "pipeline.h"

#include "batch.h"
#include "clock.h"
#include "driver.h"
#include "keeper.h"
#include "log.h"
#include "worker.h"

#include <stdlib.h>

#define OPEN_MIN (200 * MILLISECOND)
#define OPEN_MAX (3 * SECOND)
/* Of the time that a shutdown has, the broker gets this share, the store the rest. */
#define BROKER_SHARE 0.8
/* However short the time is, what was claimed is given back if the store answers. */
#define RELEASE_MIN (500 * MILLISECOND)

void pipeline_log_failure(const struct pipeline *pipeline, const char *driver, const char *doing,
                          enum outbox_status status, const struct outbox_error *error)
{
    if (status == OUTBOX_INTERRUPTED)
        return; /* our own wish */
    pipeline_log(pipeline, OUTBOX_LOG_ERROR, "a driver call failed", FIELD("driver", driver),
                 FIELD("doing", doing), FIELD("error", error->text), FIELD("code", error->native));
}

struct tunables pipeline_tunables(struct pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->tunables_lock);
    struct tunables tunables = pipeline->tunables;
    pthread_mutex_unlock(&pipeline->tunables_lock);
    return tunables;
}

void pipeline_retune(struct pipeline *pipeline, const struct tunables *tunables)
{
    pthread_mutex_lock(&pipeline->tunables_lock);
    pipeline->tunables = *tunables;
    pthread_mutex_unlock(&pipeline->tunables_lock);
    bell_ring(&pipeline->bell);
    janitor_kick(&pipeline->janitor);
}

void pipeline_kick_workers(struct pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->workers_lock);
    for (uint64_t i = 0; i < pipeline->worker_count; i++)
        worker_kick(&pipeline->workers[i]);
    pthread_mutex_unlock(&pipeline->workers_lock);
}

void pipeline_stop(struct pipeline *pipeline, int64_t deadline)
{
    int64_t now = clock_now();
    int64_t release_at = now + (int64_t)((double)(deadline - now) * BROKER_SHARE);

    atomic_store(&pipeline->release_at, release_at);
    atomic_store(&pipeline->abandon_at,
                 deadline < release_at + RELEASE_MIN ? release_at + RELEASE_MIN : deadline);
    atomic_store_explicit(&pipeline->stopping, true, memory_order_release);
    pipeline_kick_workers(pipeline);
    bell_ring(&pipeline->bell);
    janitor_kick(&pipeline->janitor);
    janitor_interrupt(&pipeline->janitor); /* what it does can wait for the next start */
    lookout_stop(&pipeline->lookout);
}

void pipeline_fail(struct pipeline *pipeline)
{
    atomic_store(&pipeline->failed, true);
    if (pipeline_phase(pipeline) == PHASE_RUN) /* a stop under way keeps its deadline */
        pipeline_stop(pipeline, clock_now() + pipeline->config->shutdown_timeout);
    bell_ring(pipeline->relay_bell);
}

void pipeline_interrupt(struct pipeline *pipeline)
{
    seat_interrupt(&pipeline->keeper_seat);
    janitor_interrupt(&pipeline->janitor);
    lookout_stop(&pipeline->lookout);
    pthread_mutex_lock(&pipeline->workers_lock);
    for (uint64_t i = 0; i < pipeline->worker_count; i++)
        worker_interrupt(&pipeline->workers[i]);
    pthread_mutex_unlock(&pipeline->workers_lock);
}

/* ---- Drivers ------------------------------------------------------------------------------ */

static bool is_for_a_person(enum outbox_status status)
{
    return status == OUTBOX_INVALID || status == OUTBOX_UNSUPPORTED;
}

static void cannot_open(struct pipeline *pipeline, const char *driver, const char *doing,
                        enum outbox_status status, const struct outbox_error *error)
{
    vitals_trouble(&pipeline->vitals, TROUBLE_OPENING, error->text);
    pipeline_log_failure(pipeline, driver, doing, status, error);
}

static enum outbox_status open_drivers(struct pipeline *pipeline)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    enum outbox_status status;

    if (!pipeline->store) {
        status = driver_store_open(&pipeline->store_host, pipeline->config, pipeline->settings,
                                   &pipeline->store, &error);
        if (status != OUTBOX_OK) {
            pipeline->store = NULL;
            cannot_open(pipeline, pipeline->settings->store.plugin->name, "open the store", status,
                        &error);
            return status;
        }
    }
    status = driver_publisher_open(&pipeline->publisher_host, pipeline->settings,
                                   &pipeline->publisher, &error);
    if (status != OUTBOX_OK) {
        pipeline->publisher = NULL;
        cannot_open(pipeline, pipeline->settings->publisher.plugin->name, "open the publisher",
                    status, &error);
        return status;
    }
    pipeline->limits = (struct outbox_publisher_limits){.size = sizeof(pipeline->limits)};
    if (pipeline->publisher_ops->limits)
        pipeline->publisher_ops->limits(pipeline->publisher, &pipeline->limits);
    return OUTBOX_OK;
}

/* Tries until the drivers are open; false if that cannot be, or the relay stops. */
static bool open_until_stopped(struct pipeline *pipeline)
{
    struct backoff backoff;

    backoff_init(&backoff, OPEN_MIN, OPEN_MAX);
    while (pipeline_phase(pipeline) == PHASE_RUN) {
        atomic_store(&pipeline->busy_since, clock_now());
        enum outbox_status status = open_drivers(pipeline);
        atomic_store(&pipeline->busy_since, 0);
        if (status == OUTBOX_OK) {
            vitals_well(&pipeline->vitals, TROUBLE_OPENING);
            atomic_store(&pipeline->opened, true);
            return true;
        }
        if (is_for_a_person(status) || pipeline->once) {
            atomic_store(&pipeline->misconfigured, is_for_a_person(status));
            atomic_store(&pipeline->failed, true);
            return false;
        }
        (void)bell_wait(&pipeline->bell, -1, clock_now() + backoff_delay(&backoff));
    }
    return false;
}

/* ---- Workers ------------------------------------------------------------------------------ */

static bool make_workers(struct pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->workers_lock);
    pipeline->workers = calloc(pipeline->settings->workers, sizeof(*pipeline->workers));
    bool made = pipeline->workers != NULL;
    while (made && pipeline->worker_count < pipeline->settings->workers) {
        made = worker_init(&pipeline->workers[pipeline->worker_count], pipeline);
        pipeline->worker_count += made;
    }
    pthread_mutex_unlock(&pipeline->workers_lock);
    return made;
}

static bool start_workers(struct pipeline *pipeline)
{
    if (!make_workers(pipeline))
        return false;
    for (uint64_t i = 0; i < pipeline->worker_count; i++) {
        atomic_fetch_add(&pipeline->live_workers, 1);
        if (!worker_start(&pipeline->workers[i])) {
            atomic_fetch_sub(&pipeline->live_workers, 1);
            pipeline->workers[i].thread = 0;
            return false;
        }
    }
    return true;
}

/* Their sessions are closed beside the lock: a driver that does not return from it holds up nobody
 * who stops the relay or asks how it fares. */
static void clear_workers(struct pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->workers_lock);
    struct worker *workers = pipeline->workers;
    uint64_t count = pipeline->worker_count;
    pipeline->workers = NULL;
    pipeline->worker_count = 0;
    pthread_mutex_unlock(&pipeline->workers_lock);
    for (uint64_t i = 0; i < count; i++)
        worker_clear(&workers[i]);
    free(workers);
}

static void close_all(struct pipeline *pipeline)
{
    for (uint64_t i = 0; i < pipeline->worker_count; i++)
        if (pipeline->workers[i].thread)
            pthread_join(pipeline->workers[i].thread, NULL);
    /* First the publisher: until it is closed its threads may still look at claimed events. */
    if (pipeline->publisher)
        pipeline->publisher_ops->close(pipeline->publisher);
    clear_workers(pipeline);
    if (pipeline->store)
        pipeline->store_ops->close(pipeline->store);
}

/* ---- The supervisor ----------------------------------------------------------------------- */

/* Once, when a shutdown begins: messages that wait to be sent need not wait any longer. */
static void hurry(struct pipeline *pipeline, bool *hurried)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;

    if (*hurried || pipeline_phase(pipeline) == PHASE_RUN)
        return;
    *hurried = true;
    if (pipeline->publisher_ops->flush) /* its time is over at once: what is left is no failure */
        (void)pipeline->publisher_ops->flush(pipeline->publisher, clock_now(), &error);
}

static bool start_threads(struct pipeline *pipeline)
{
    if (!start_workers(pipeline))
        return false;
    bool may_maintain = pipeline->store_ops->prune || pipeline->store_ops->partitions;
    if (pipeline->config->is_observed && !lookout_start(&pipeline->lookout))
        return false;
    return pipeline->once || !may_maintain || janitor_start(&pipeline->janitor);
}

static void supervise(struct pipeline *pipeline)
{
    struct keeper keeper;
    bool hurried = false;

    keeper_init(&keeper, pipeline);
    if (!start_threads(pipeline)) {
        pipeline_log(pipeline, OUTBOX_LOG_ERROR, "out of memory, threads or descriptors");
        pipeline_fail(pipeline);
    }
    while (atomic_load(&pipeline->live_workers) > 0) {
        atomic_store(&pipeline->busy_since, clock_now());
        hurry(pipeline, &hurried);
        keeper_round(&keeper);
        atomic_store(&pipeline->busy_since, 0);
        if (atomic_load(&pipeline->live_workers) > 0)
            (void)bell_wait(&pipeline->bell, -1, keeper_deadline(&keeper));
    }
    keeper_clear(&keeper);
    janitor_join(&pipeline->janitor);
    lookout_join(&pipeline->lookout);
}

static void log_totals(const struct pipeline *pipeline)
{
    const struct metrics *metrics = &pipeline->metrics;

    pipeline_log(pipeline, OUTBOX_LOG_INFO, "pipeline ended",
                 FIELD_NUMBER("claimed", metrics_read(metrics, EVENTS_CLAIMED, 0)),
                 FIELD_NUMBER("delivered", metrics_read(metrics, EVENTS_DELIVERED, 0)),
                 FIELD_NUMBER("dropped", metrics_read(metrics, EVENTS_DROPPED, 0)),
                 FIELD_NUMBER("retried", metrics_read(metrics, EVENTS_RETRIED, 0)),
                 FIELD_NUMBER("unknown", metrics_read(metrics, EVENTS_OUTCOMES, CLASS_UNKNOWN)),
                 FIELD_NUMBER("dead", metrics_read(metrics, EVENTS_DEAD, 0)),
                 FIELD_NUMBER("released", metrics_read(metrics, EVENTS_RELEASED, 0)),
                 FIELD_NUMBER("stale", metrics_read(metrics, EVENTS_STALE, 0)),
                 FIELD_NUMBER("expired", metrics_read(metrics, LEASES_EXPIRED, 0)),
                 FIELD_NUMBER("pruned", metrics_read(metrics, EVENTS_PRUNED, 0)));
}

static void *pipeline_main(void *argument)
{
    struct pipeline *pipeline = argument;

    if (open_until_stopped(pipeline))
        supervise(pipeline);
    close_all(pipeline);
    log_totals(pipeline);
    atomic_store(&pipeline->ended, true);
    bell_ring(pipeline->relay_bell);
    return NULL;
}

bool pipeline_start(struct pipeline *pipeline, const struct config *config,
                    const struct pipeline_config *settings, bool once, struct exporter *exporter,
                    struct bell *relay_bell)
{
    *pipeline = (struct pipeline){.config = config,
                                  .settings = settings,
                                  .once = once,
                                  .exporter = exporter,
                                  .store_ops = settings->store.plugin->store,
                                  .publisher_ops = settings->publisher.plugin->publisher,
                                  .tunables = settings->tunables,
                                  .relay_bell = relay_bell};
    host_init(&pipeline->store_host, settings->name, settings->store.plugin->name);
    host_init(&pipeline->publisher_host, settings->name, settings->publisher.plugin->name);
    pipeline->publisher_host.table.complete = batch_complete;
    gate_init(&pipeline->gate);
    lease_book_init(&pipeline->leases);
    pthread_mutex_init(&pipeline->tunables_lock, NULL);
    pthread_mutex_init(&pipeline->poller_lock, NULL);
    seat_init(&pipeline->keeper_seat, pipeline->store_ops);
    pthread_mutex_init(&pipeline->workers_lock, NULL);
    vitals_init(&pipeline->vitals);
    if (!metrics_init(&pipeline->metrics) || !bell_init(&pipeline->bell) ||
        !janitor_init(&pipeline->janitor, pipeline) || !lookout_init(&pipeline->lookout, pipeline))
        return false;
    return pthread_create(&pipeline->thread, NULL, pipeline_main, pipeline) == 0;
}

void pipeline_join(struct pipeline *pipeline)
{
    if (pipeline->thread)
        pthread_join(pipeline->thread, NULL);
    janitor_clear(&pipeline->janitor);
    lookout_clear(&pipeline->lookout);
    bell_clear(&pipeline->bell);
    pthread_mutex_destroy(&pipeline->workers_lock);
    seat_clear(&pipeline->keeper_seat);
    pthread_mutex_destroy(&pipeline->poller_lock);
    pthread_mutex_destroy(&pipeline->tunables_lock);
    lease_book_clear(&pipeline->leases);
    gate_clear(&pipeline->gate);
    vitals_clear(&pipeline->vitals);
    metrics_clear(&pipeline->metrics);
    host_clear(&pipeline->publisher_host);
    host_clear(&pipeline->store_host);
}
