/*
 * janitor.c - maintains the table while the relay runs
 * SPDX-License-Identifier: MIT
 */
#include "janitor.h"

#include "backoff.h"
#include "clock.h"
#include "log.h"
#include "observe.h"
#include "partitions.h"
#include "pipeline.h"
#include "prune.h"

#define CONNECT_TIMEOUT (5 * SECOND)
/* The first pass comes soon, though not at once nor in all relays at the same time: who is
 * restarted every hour shall prune as well. */
#define FIRST_PASS_MAX (60 * SECOND)
#define RETRY_MIN SECOND
#define RETRY_MAX (60 * SECOND)

/* In the log. */
#define TEND_PARTITIONS "tend partitions"

static const struct outbox_store_ops *store_ops(const struct janitor *janitor)
{
    return janitor->pipeline->store_ops;
}

static struct maintenance wanted(const struct janitor *janitor)
{
    return pipeline_tunables(janitor->pipeline).maintenance;
}

static bool is_running(const struct janitor *janitor)
{
    return pipeline_phase(janitor->pipeline) == PHASE_RUN;
}

/* ---- The session -------------------------------------------------------------------------- */

/* A session that is the maintainer; OK and none: another relay's is. */
static enum outbox_status become_maintainer(struct janitor *janitor, struct outbox_error *error)
{
    bool granted = false;
    enum outbox_status status =
        seat_open(&janitor->seat, janitor->pipeline->store, CONNECT_TIMEOUT, error);
    if (status != OUTBOX_OK)
        return status;
    status = prune_claim_table(store_ops(janitor), janitor->seat.session, &granted, error);
    if (status == OUTBOX_OK && !granted)
        seat_close(&janitor->seat);
    return status;
}

/* ---- A pass ------------------------------------------------------------------------------- */

/* Waits until then; false if the relay stops. */
static bool rest_until(struct janitor *janitor, int64_t deadline)
{
    while (is_running(janitor) && clock_now() < deadline)
        (void)bell_wait(&janitor->bell, -1, deadline);
    return is_running(janitor);
}

static void report(struct janitor *janitor, const struct prune_pass *pass)
{
    metrics_add(&janitor->pipeline->metrics, EVENTS_PRUNED, 0, pass->delivered + pass->dead);
    if (pass->delivered + pass->dead > 0)
        pipeline_log(janitor->pipeline, OUTBOX_LOG_INFO, "finished events were pruned",
                     FIELD_NUMBER("delivered", pass->delivered), FIELD_NUMBER("dead", pass->dead));
}

static void log_failure(const struct janitor *janitor, const char *doing, enum outbox_status status,
                        const struct outbox_error *error)
{
    pipeline_log_failure(janitor->pipeline, janitor->pipeline->settings->store.plugin->name, doing,
                         status, error);
}

static void log_partition(void *context, const struct outbox_partition *partition)
{
    const struct janitor *janitor = context;
    char name[256], reason[512], from[PARTITION_TIME], until[PARTITION_TIME];
    bool is_kept = partition->action == OUTBOX_PARTITION_KEPT;
    (void)snprintf(name, sizeof(name), "%.*s", (int)partition->name.len, partition->name.data);
    (void)snprintf(reason, sizeof(reason), "%.*s", (int)partition->reason.len,
                   partition->reason.data ? partition->reason.data : "");
    pipeline_log(janitor->pipeline, is_kept ? OUTBOX_LOG_WARN : OUTBOX_LOG_INFO,
                 is_kept ? "a partition was left as it was" : "a partition was changed",
                 FIELD("action", partition_action_text(partition->action)),
                 FIELD("partition", name), FIELD("from", partition_time(partition->from, from)),
                 FIELD("until", partition_time(partition->until, until)), FIELD("reason", reason));
}

/* What a table cannot do now it will not do in a second: only a lost session is worth another try
 * before the next pass. */
static enum outbox_status tend_partitions(struct janitor *janitor,
                                          const struct maintenance *maintenance,
                                          struct outbox_error *error)
{
    const struct partition_plan plan = {.partitioning = maintenance->partitioning};
    if (!maintenance->partitioning.is_wanted)
        return OUTBOX_OK;
    int64_t started = clock_now();
    enum outbox_status status = partitions_tend(store_ops(janitor), janitor->seat.session, &plan,
                                                log_partition, janitor, error);
    observe_store(janitor->pipeline, STORAGE_PARTITIONS, started, status);
    if (status == OUTBOX_OK || status == OUTBOX_UNAVAILABLE || status == OUTBOX_INTERRUPTED)
        return status;
    log_failure(janitor, TEND_PARTITIONS, status, error);
    return OUTBOX_OK;
}

static enum outbox_status prune(struct janitor *janitor, const struct maintenance *maintenance,
                                struct outbox_error *error)
{
    struct prune_pass pass;
    enum outbox_status status;
    if (!prune_is_wanted(maintenance) || !is_running(janitor))
        return OUTBOX_OK;
    prune_begin(&pass, store_ops(janitor), maintenance, false);
    do {
        int64_t started = clock_now();
        status = prune_batch(&pass, janitor->seat.session, error);
        observe_store(janitor->pipeline, STORAGE_PRUNE, started, status);
    } while (status == OUTBOX_OK && !pass.ended && rest_until(janitor, pass.rest_until));
    report(janitor, &pass);
    return status;
}

static enum outbox_status make_pass(struct janitor *janitor, const struct maintenance *maintenance)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    const char *doing = "maintain the table";
    enum outbox_status status = become_maintainer(janitor, &error);
    if (status == OUTBOX_OK && !janitor->seat.session)
        return OUTBOX_OK;
    if (status == OUTBOX_OK) {
        doing = TEND_PARTITIONS;
        status = tend_partitions(janitor, maintenance, &error);
    }
    if (status == OUTBOX_OK) {
        doing = "prune finished events";
        status = prune(janitor, maintenance, &error);
    }
    if (status != OUTBOX_OK) {
        log_failure(janitor, doing, status, &error);
        seat_close(&janitor->seat);
    }
    return status;
}

/* ---- The thread --------------------------------------------------------------------------- */

static bool is_wanted(const struct maintenance *maintenance)
{
    return prune_is_wanted(maintenance) || maintenance->partitioning.is_wanted;
}

/* When a pass is due: partitions that are tended in another way than in the last one do not wait.
 */
static int64_t due_at(int64_t due, const struct maintenance *maintenance,
                      const struct partitioning *tended)
{
    if (!is_wanted(maintenance))
        return NEVER;
    int64_t now = clock_now();
    if (maintenance->partitioning.is_wanted &&
        !partitioning_equals(&maintenance->partitioning, tended))
        return now;
    /* A period that was shortened counts from now on. */
    return due > now + maintenance->every ? now + maintenance->every : due;
}

static int64_t first_pass(const struct janitor *janitor)
{
    struct random random;
    int64_t every = wanted(janitor).every;
    random_init(&random);
    return clock_now() + (int64_t)((double)(every < FIRST_PASS_MAX ? every : FIRST_PASS_MAX) *
                                   random_fraction(&random));
}

static void *janitor_main(void *argument)
{
    struct janitor *janitor = argument;
    struct backoff retry;
    struct partitioning tended = {0};
    int64_t first = first_pass(janitor), due = first;

    backoff_init(&retry, RETRY_MIN, RETRY_MAX);
    while (is_running(janitor)) {
        struct maintenance maintenance = wanted(janitor);
        due = due_at(due == NEVER ? first : due, &maintenance, &tended);
        if (due == NEVER)
            seat_close(&janitor->seat); /* others may want what a changed configuration does not */
        if (clock_now() < due) {
            (void)bell_wait(&janitor->bell, -1, due);
            continue;
        }
        tended = maintenance.partitioning;
        if (make_pass(janitor, &maintenance) == OUTBOX_OK) {
            backoff_reset(&retry);
            due = clock_now() + maintenance.every;
        } else {
            due = clock_now() + backoff_delay(&retry);
        }
    }
    seat_close(&janitor->seat);
    return NULL;
}

bool janitor_init(struct janitor *janitor, struct pipeline *pipeline)
{
    *janitor = (struct janitor){.pipeline = pipeline};
    seat_init(&janitor->seat, pipeline->store_ops);
    return bell_init(&janitor->bell);
}

bool janitor_start(struct janitor *janitor)
{
    if (pthread_create(&janitor->thread, NULL, janitor_main, janitor) == 0)
        return true;
    janitor->thread = 0;
    return false;
}

void janitor_kick(struct janitor *janitor)
{
    bell_ring(&janitor->bell);
}

void janitor_interrupt(struct janitor *janitor)
{
    seat_interrupt(&janitor->seat);
}

void janitor_join(struct janitor *janitor)
{
    if (janitor->thread)
        pthread_join(janitor->thread, NULL);
    janitor->thread = 0;
}

void janitor_clear(struct janitor *janitor)
{
    bell_clear(&janitor->bell);
    seat_clear(&janitor->seat);
}
