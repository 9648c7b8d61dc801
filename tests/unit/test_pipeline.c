/*
 * test_pipeline.c - that a driver which does not return stops nobody but its own thread
 * SPDX-License-Identifier: MIT
 */
#include "pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- Drivers that have nothing to do ------------------------------------------------------- */

struct outbox_store {
    struct pipeline *pipeline;
    _Atomic bool unseen;  /* nobody could have noticed that opening takes for ever */
    _Atomic bool held_up; /* somebody would have waited for a session to close */
};

struct outbox_session {
    struct outbox_store *store;
};

static struct outbox_store the_store;

static enum outbox_status open_store(const struct outbox_host *host,
                                     const struct outbox_store_config *config,
                                     struct outbox_store **store, struct outbox_error *error)
{
    (void)host, (void)config, (void)error;
    atomic_store(&the_store.unseen, atomic_load(&the_store.pipeline->busy_since) == 0);
    *store = &the_store;
    return OUTBOX_OK;
}

static void close_store(struct outbox_store *store)
{
    (void)store;
}

static enum outbox_status open_session(struct outbox_store *store, int64_t deadline,
                                       struct outbox_session **session, struct outbox_error *error)
{
    (void)deadline;
    *session = malloc(sizeof(**session));
    if (!*session)
        return outbox_fail(error, OUTBOX_INTERNAL, "", "out of memory");
    (*session)->store = store;
    return OUTBOX_OK;
}

/* Looks whether others could still do what they do to every worker: kick, interrupt, look at. */
static void close_session(struct outbox_session *session)
{
    struct outbox_store *store = session->store;
    pthread_mutex_t *lock = &store->pipeline->workers_lock;
    struct timespec patience;

    (void)clock_gettime(CLOCK_REALTIME, &patience);
    patience.tv_sec += 2;
    if (pthread_mutex_timedlock(lock, &patience) == 0)
        pthread_mutex_unlock(lock);
    else
        atomic_store(&store->held_up, true);
    free(session);
}

static enum outbox_status schema(struct outbox_store *store, struct outbox_session *session,
                                 uint32_t action, outbox_schema_line *emit, void *context,
                                 struct outbox_error *error)
{
    (void)store, (void)session, (void)action, (void)emit, (void)context, (void)error;
    return OUTBOX_OK;
}

static enum outbox_status claim(struct outbox_session *session,
                                const struct outbox_claim_request *request,
                                struct outbox_claim **claim, struct outbox_error *error)
{
    static struct outbox_claim nothing = {.size = sizeof(nothing)};

    (void)session, (void)request, (void)error;
    *claim = &nothing;
    return OUTBOX_OK;
}

static void close_claim(struct outbox_session *session, struct outbox_claim *claim)
{
    (void)session, (void)claim;
}

static enum outbox_status open_publisher(const struct outbox_host *host,
                                         const struct outbox_settings *settings,
                                         struct outbox_publisher **publisher,
                                         struct outbox_error *error)
{
    static char publisher_of_nothing;

    (void)host, (void)settings, (void)error;
    *publisher = (struct outbox_publisher *)(void *)&publisher_of_nothing;
    return OUTBOX_OK;
}

static void close_publisher(struct outbox_publisher *publisher)
{
    (void)publisher;
}

/* ---- Test ---------------------------------------------------------------------------------- */

static void a_driver_is_watched_and_nobody_waits_for_it(void **state)
{
    static const struct outbox_store_ops store_ops = {.open = open_store,
                                                      .close = close_store,
                                                      .session_open = open_session,
                                                      .session_close = close_session,
                                                      .schema = schema,
                                                      .claim = claim,
                                                      .claim_close = close_claim};
    static const struct outbox_publisher_ops publisher_ops = {.open = open_publisher,
                                                              .close = close_publisher};
    static const struct outbox_plugin store = {.name = "store", .store = &store_ops};
    static const struct outbox_plugin publisher = {.name = "publisher",
                                                   .publisher = &publisher_ops};
    const struct config config = {.relay_id = "r", .shutdown_timeout = SECOND};
    const struct pipeline_config settings = {
        .name = "p",
        .store.plugin = &store,
        .publisher.plugin = &publisher,
        .mode = OUTBOX_MODE_HOLD,
        .workers = 2,
        .tunables = {.batch_size = 10, .max_in_flight = 100, .max_in_flight_bytes = 1000}};
    struct pipeline pipeline;
    struct bell over;

    (void)state;
    the_store = (struct outbox_store){.pipeline = &pipeline};
    assert_true(bell_init(&over));
    assert_true(pipeline_start(&pipeline, &config, &settings, true, NULL, &over));
    pipeline_join(&pipeline);
    assert_false(atomic_load(&pipeline.failed));
    assert_false(atomic_load(&the_store.unseen));
    assert_false(atomic_load(&the_store.held_up));
    bell_clear(&over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_driver_is_watched_and_nobody_waits_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
