/*
 * test_lookout.c - what the lookout sees: the work of other relays, and what is recent
 * SPDX-License-Identifier: MIT
 */
#include "clock.h"
#include "lookout.h"
#include "pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* ---- A store whose counts are written down ------------------------------------------------- */

/* What has been due for how long, count by count, in microseconds. */
struct outbox_store {
    const int64_t *ages;
    size_t ages_left;
    int64_t counted_at; /* the last of them */
    _Atomic bool over;  /* one more was asked for */
    struct bell bell;   /* rung then */
};

struct outbox_session {
    struct outbox_store *store;
};

static enum outbox_status open_session(struct outbox_store *store, int64_t deadline,
                                       struct outbox_session **session, struct outbox_error *error)
{
    static struct outbox_session only;

    (void)deadline, (void)error;
    only.store = store;
    *session = &only;
    return OUTBOX_OK;
}

static void close_session(struct outbox_session *session)
{
    (void)session;
}

static enum outbox_status read_stats(struct outbox_session *session,
                                     struct outbox_store_stats *stats, struct outbox_error *error)
{
    struct outbox_store *store = session->store;

    (void)error;
    if (store->ages_left == 0) {
        atomic_store(&store->over, true);
        bell_ring(&store->bell);
        return OUTBOX_INTERRUPTED;
    }
    store->counted_at = clock_now();
    stats->oldest_age = *store->ages++;
    store->ages_left--;
    return OUTBOX_OK;
}

static enum outbox_status ping(struct outbox_publisher *publisher, int64_t deadline,
                               struct outbox_error *error)
{
    (void)publisher, (void)deadline, (void)error;
    return OUTBOX_OK;
}

/* ---- Tests --------------------------------------------------------------------------------- */

/* After the database's clock was set forward, the others' work is seen by what it does since. */
static void movement_is_seen_after_a_clock_was_set(void **state)
{
    static const int64_t ages[] = {1000000, 3600000000, 3590000000};
    static const struct outbox_store_ops store_ops = {
        .session_open = open_session, .session_close = close_session, .stats = read_stats};
    static const struct outbox_publisher_ops publisher_ops = {.ping = ping};
    struct outbox_store store = {.ages = ages, .ages_left = sizeof(ages) / sizeof(*ages)};
    static const struct config config = {.relay_id = "this"};
    struct pipeline pipeline = {.store_ops = &store_ops,
                                .publisher_ops = &publisher_ops,
                                .store = &store,
                                .config = &config};
    struct lookout *lookout = &pipeline.lookout;

    (void)state;
    gate_init(&pipeline.gate);
    vitals_init(&pipeline.vitals);
    assert_true(metrics_init(&pipeline.metrics));
    assert_true(bell_init(&store.bell));
    assert_true(lookout_init(lookout, &pipeline));
    assert_true(lookout_start(lookout));
    while (!atomic_load(&store.over))
        (void)bell_wait(&store.bell, -1, NEVER);
    lookout_join(lookout);
    assert_true(lookout->stuck_since >= store.counted_at);
    lookout_clear(lookout);
    bell_clear(&store.bell);
    metrics_clear(&pipeline.metrics);
    vitals_clear(&pipeline.vitals);
    gate_clear(&pipeline.gate);
}

/* As while a count takes long, or after the pipeline has ended. */
static void recent_is_what_was_until_now_though_no_step_was_taken(void **state)
{
    struct pipeline pipeline = {0};
    struct lookout *lookout = &pipeline.lookout;
    struct lookout_step from, to;
    int64_t now = clock_now();

    (void)state;
    assert_true(metrics_init(&pipeline.metrics));
    assert_true(lookout_init(lookout, &pipeline));
    metrics_add(&pipeline.metrics, EVENTS_DELIVERED, 0, 500);
    assert_false(lookout_steps(lookout, 10 * SECOND, &from, &to));
    lookout->steps[lookout->step_count++] = (struct lookout_step){.at = now};
    assert_false(lookout_steps(lookout, 10 * SECOND, &from, &to));
    lookout->steps[0].at = now - 31 * SECOND;
    assert_true(lookout_steps(lookout, 10 * SECOND, &from, &to));
    assert_int_equal(to.delivered - from.delivered, 500);
    for (int64_t ago = 30; ago >= 20; ago--)
        lookout->steps[lookout->step_count++] =
            (struct lookout_step){.at = now - ago * SECOND, .delivered = 500};
    assert_true(lookout_steps(lookout, 10 * SECOND, &from, &to));
    assert_int_equal(from.at, now - 20 * SECOND);
    assert_int_equal(to.delivered - from.delivered, 0);
    assert_true(lookout_steps(lookout, 25 * SECOND, &from, &to));
    assert_int_equal(from.at, now - 25 * SECOND);
    assert_true(lookout_steps(lookout, 60 * SECOND, &from, &to));
    assert_int_equal(from.at, now - 31 * SECOND);
    lookout_clear(lookout);
    metrics_clear(&pipeline.metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(movement_is_seen_after_a_clock_was_set),
        cmocka_unit_test(recent_is_what_was_until_now_though_no_step_was_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
