/*
 * janitor.c - maintains the table while the relay runs
 * SPDX-License-Identifier: MIT
 */
#include "janitor.h"

#include "backoff.h"
#include "clock.h"
#include "log.h"
#include "pipeline.h"
#include "prune.h"

#define CONNECT_TIMEOUT (5 * SECOND)
/* The first pass comes soon, though not at once nor in all relays at the same time: who is
 * restarted every hour shall prune as well. */
#define FIRST_PASS_MAX (60 * SECOND)
#define RETRY_MIN SECOND
#define RETRY_MAX (60 * SECOND)

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

static void set_session(struct janitor *janitor, struct outbox_session *session)
{
    pthread_mutex_lock(&janitor->session_lock);
    janitor->session = session;
    pthread_mutex_unlock(&janitor->session_lock);
}

static void close_session(struct janitor *janitor)
{
    struct outbox_session *session = janitor->session;
    set_session(janitor, NULL);
    if (session)
        store_ops(janitor)->session_close(session);
}

/* A session that is the maintainer; OK and none: another relay's is. */
static enum outbox_status become_maintainer(struct janitor *janitor, struct outbox_error *error)
{
    bool granted = false;
    if (!janitor->session) {
        struct outbox_session *session = NULL;
        enum outbox_status status = store_ops(janitor)->session_open(
            janitor->pipeline->store, clock_now() + CONNECT_TIMEOUT, &session, error);
        if (status != OUTBOX_OK)
            return status;
        set_session(janitor, session);
    }
    enum outbox_status status =
        prune_claim_table(store_ops(janitor), janitor->session, &granted, error);
    if (status == OUTBOX_OK && !granted)
        close_session(janitor);
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
    atomic_fetch_add(&janitor->pipeline->totals.pruned, pass->delivered + pass->dead);
    if (pass->delivered + pass->dead > 0)
        pipeline_log(janitor->pipeline, OUTBOX_LOG_INFO, "finished events were pruned",
                     FIELD_NUMBER("delivered", pass->delivered), FIELD_NUMBER("dead", pass->dead));
}

static enum outbox_status make_pass(struct janitor *janitor, const struct maintenance *maintenance,
                                    struct outbox_error *error)
{
    struct prune_pass pass;
    enum outbox_status status = become_maintainer(janitor, error);
    if (status != OUTBOX_OK || !janitor->session)
        return status;
    prune_begin(&pass, store_ops(janitor), maintenance, false);
    do
        status = prune_batch(&pass, janitor->session, error);
    while (status == OUTBOX_OK && !pass.ended && rest_until(janitor, pass.rest_until));
    report(janitor, &pass);
    return status;
}

/* ---- The thread --------------------------------------------------------------------------- */

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
    int64_t due = first_pass(janitor);

    backoff_init(&retry, RETRY_MIN, RETRY_MAX);
    while (is_running(janitor)) {
        struct maintenance maintenance = wanted(janitor);
        bool is_wanted = prune_is_wanted(&maintenance);
        if (!is_wanted)
            close_session(janitor); /* others may want what a changed configuration does not */
        /* A period that was shortened counts from now on. */
        due = due > clock_now() + maintenance.every ? clock_now() + maintenance.every : due;
        if (!is_wanted || clock_now() < due) {
            (void)bell_wait(&janitor->bell, -1, is_wanted ? due : NEVER);
            continue;
        }
        struct outbox_error error = OUTBOX_ERROR_INIT;
        enum outbox_status status = make_pass(janitor, &maintenance, &error);
        if (status == OUTBOX_OK) {
            backoff_reset(&retry);
            due = clock_now() + maintenance.every;
            continue;
        }
        pipeline_log_failure(janitor->pipeline, janitor->pipeline->settings->store.plugin->name,
                             "prune finished events", status, &error);
        close_session(janitor);
        due = clock_now() + backoff_delay(&retry);
    }
    close_session(janitor);
    return NULL;
}

bool janitor_init(struct janitor *janitor, struct pipeline *pipeline)
{
    *janitor = (struct janitor){.pipeline = pipeline};
    pthread_mutex_init(&janitor->session_lock, NULL);
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
    pthread_mutex_lock(&janitor->session_lock);
    if (janitor->session && store_ops(janitor)->interrupt)
        store_ops(janitor)->interrupt(janitor->session);
    pthread_mutex_unlock(&janitor->session_lock);
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
    pthread_mutex_destroy(&janitor->session_lock);
}
