/*
 * null.c - a publisher that sends nothing, after a delay and with failures as wished
 * SPDX-License-Identifier: MIT
 */
#include "outcome.h"
#include "turn.h"

#include <outbox/plugin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>

/* A batch whose delay runs. */
struct waiting {
    TAILQ_ENTRY(waiting) entry;
    const struct outbox_batch *batch;
    int64_t due;
    bool is_late; /* the deadline comes before the delay is over */
};

TAILQ_HEAD(waiting_list, waiting);

struct outbox_publisher {
    const struct outbox_host *host;
    int64_t delay;
    double failure_rate;
    enum outbox_outcome failure;
    uint64_t seed;
    _Atomic uint64_t drawn; /* random numbers so far */

    /* With a delay only. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;    /* what follows has */
    struct waiting_list queue; /* the next one due first */
    uint64_t completing;       /* batches taken out of the queue, not complete yet */
    bool is_closing;
    pthread_t timer;
};

/* ---- Outcomes ----------------------------------------------------------------------------- */

/* The splitmix64 sequence. Numbered draws: threads share it without a lock, and the number of
 * failures does not depend on how they take turns. */
static double draw(struct outbox_publisher *publisher)
{
    uint64_t number = atomic_fetch_add_explicit(&publisher->drawn, 1, memory_order_relaxed) + 1;
    uint64_t bits = publisher->seed + number * UINT64_C(0x9E3779B97F4A7C15);
    bits = (bits ^ bits >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    bits = (bits ^ bits >> 27) * UINT64_C(0x94D049BB133111EB);
    bits ^= bits >> 31;
    return (double)(bits >> 11) * 0x1.0p-53;
}

static void complete_batch(struct outbox_publisher *publisher, const struct outbox_batch *batch)
{
    static const char reason[] = "the publisher \"null\" fails by its failure_rate";
    const struct outbox_host *host = publisher->host;
    /* Completing the last message is the last look at the batch. */
    uint64_t count = batch->count, first = 0;
    bool is_failed = publisher->failure_rate > 0 && draw(publisher) < publisher->failure_rate;
    for (uint64_t next = 1; next <= count; next++) {
        bool is_next_failed = next < count && publisher->failure_rate > 0 &&
                              draw(publisher) < publisher->failure_rate;
        if (next < count && is_next_failed == is_failed)
            continue;
        outcome_complete(host, batch, first, next - first,
                         is_failed ? publisher->failure : OUTBOX_ACKED, is_failed ? reason : NULL);
        first = next;
        is_failed = is_next_failed;
    }
}

static void complete_all(const struct outbox_publisher *publisher, const struct outbox_batch *batch,
                         enum outbox_outcome outcome, const char *reason)
{
    outcome_complete(publisher->host, batch, 0, batch->count, outcome, reason);
}

/* ---- The delay ---------------------------------------------------------------------------- */

static void complete_due(struct outbox_publisher *publisher, const struct waiting *due)
{
    if (due->is_late)
        complete_all(publisher, due->batch, OUTBOX_UNKNOWN,
                     "the delay of the publisher \"null\" is longer than publish.timeout");
    else
        complete_batch(publisher, due->batch);
}

static void *run_timer(void *argument)
{
    struct outbox_publisher *publisher = argument;
    const struct outbox_host *host = publisher->host;
    (void)pthread_mutex_lock(&publisher->mutex);
    while (!publisher->is_closing) {
        struct waiting *next = TAILQ_FIRST(&publisher->queue);
        if (!next) {
            (void)pthread_cond_wait(&publisher->changed, &publisher->mutex);
            continue;
        }
        int64_t left = next->due - host->now(host);
        if (left > 0) {
            condition_wait(&publisher->changed, &publisher->mutex, left);
            continue;
        }
        TAILQ_REMOVE(&publisher->queue, next, entry);
        publisher->completing++;
        (void)pthread_mutex_unlock(&publisher->mutex);
        complete_due(publisher, next);
        free(next);
        (void)pthread_mutex_lock(&publisher->mutex);
        publisher->completing--;
        (void)pthread_cond_broadcast(&publisher->changed);
    }
    (void)pthread_mutex_unlock(&publisher->mutex);
    return NULL;
}

/* Deadlines may differ, so a batch is not always due after the one before; nearly always it is. */
static void insert_by_due(struct waiting_list *queue, struct waiting *added)
{
    struct waiting *before = TAILQ_LAST(queue, waiting_list);
    while (before && before->due > added->due)
        before = TAILQ_PREV(before, waiting_list, entry);
    if (before)
        TAILQ_INSERT_AFTER(queue, before, added, entry);
    else
        TAILQ_INSERT_HEAD(queue, added, entry);
}

static enum outbox_status null_publish(struct outbox_publisher *publisher,
                                       const struct outbox_batch *batch, struct outbox_error *error)
{
    if (publisher->delay == 0) {
        complete_batch(publisher, batch);
        return OUTBOX_OK;
    }
    struct waiting *added = calloc(1, sizeof(*added));
    if (!added)
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "publish a batch: out of memory");
    int64_t now = publisher->host->now(publisher->host);
    added->batch = batch;
    added->is_late = batch->deadline - now < publisher->delay;
    added->due = added->is_late ? batch->deadline : now + publisher->delay;
    (void)pthread_mutex_lock(&publisher->mutex);
    insert_by_due(&publisher->queue, added);
    (void)pthread_cond_broadcast(&publisher->changed);
    (void)pthread_mutex_unlock(&publisher->mutex);
    return OUTBOX_OK;
}

static enum outbox_status null_flush(struct outbox_publisher *publisher, int64_t deadline,
                                     struct outbox_error *error)
{
    const struct outbox_host *host = publisher->host;
    if (publisher->delay == 0)
        return OUTBOX_OK;
    (void)pthread_mutex_lock(&publisher->mutex);
    bool is_idle = false;
    for (;;) {
        is_idle = TAILQ_EMPTY(&publisher->queue) && publisher->completing == 0;
        int64_t left = deadline - host->now(host);
        if (is_idle || left <= 0)
            break;
        condition_wait(&publisher->changed, &publisher->mutex, left);
    }
    (void)pthread_mutex_unlock(&publisher->mutex);
    return is_idle ? OUTBOX_OK
                   : outbox_fail(error, OUTBOX_TIMEOUT, "",
                                 "flush the publisher \"null\": its delay is not over yet");
}

static void null_cancel(struct outbox_publisher *publisher, const struct outbox_batch *batch)
{
    struct waiting *found = NULL;
    if (publisher->delay == 0)
        return;
    (void)pthread_mutex_lock(&publisher->mutex);
    TAILQ_FOREACH(found, &publisher->queue, entry)
    {
        if (found->batch == batch)
            break;
    }
    if (found) {
        TAILQ_REMOVE(&publisher->queue, found, entry);
        publisher->completing++;
    }
    (void)pthread_mutex_unlock(&publisher->mutex);
    if (!found)
        return;
    free(found);
    complete_all(publisher, batch, OUTBOX_RETRY, "cancelled before it was sent");
    (void)pthread_mutex_lock(&publisher->mutex);
    publisher->completing--;
    (void)pthread_cond_broadcast(&publisher->changed);
    (void)pthread_mutex_unlock(&publisher->mutex);
}

/* ---- Opening and closing ------------------------------------------------------------------ */

static bool start_timer(struct outbox_publisher *publisher)
{
    TAILQ_INIT(&publisher->queue);
    if (pthread_mutex_init(&publisher->mutex, NULL) != 0)
        return false;
    if (condition_init(&publisher->changed)) {
        if (pthread_create(&publisher->timer, NULL, run_timer, publisher) == 0)
            return true;
        (void)pthread_cond_destroy(&publisher->changed);
    }
    (void)pthread_mutex_destroy(&publisher->mutex);
    return false;
}

static void stop_timer(struct outbox_publisher *publisher)
{
    struct waiting *left;
    (void)pthread_mutex_lock(&publisher->mutex);
    publisher->is_closing = true;
    (void)pthread_cond_broadcast(&publisher->changed);
    (void)pthread_mutex_unlock(&publisher->mutex);
    (void)pthread_join(publisher->timer, NULL);
    while ((left = TAILQ_FIRST(&publisher->queue))) {
        TAILQ_REMOVE(&publisher->queue, left, entry);
        complete_all(publisher, left->batch, OUTBOX_UNKNOWN,
                     "the publisher was closed before its delay was over");
        free(left);
    }
    (void)pthread_cond_destroy(&publisher->changed);
    (void)pthread_mutex_destroy(&publisher->mutex);
}

static enum outbox_outcome outcome_of(const char *name)
{
    if (strcmp(name, "unknown") == 0)
        return OUTBOX_UNKNOWN;
    if (strcmp(name, "rejected") == 0)
        return OUTBOX_REJECTED;
    return strcmp(name, "away") == 0 ? OUTBOX_AWAY : OUTBOX_RETRY;
}

static enum outbox_status null_open(const struct outbox_host *host,
                                    const struct outbox_settings *settings,
                                    struct outbox_publisher **publisher, struct outbox_error *error)
{
    struct outbox_publisher *made = calloc(1, sizeof(*made));
    if (made) {
        made->host = host;
        made->delay = outbox_setting_integer(settings, "delay", 0);
        made->failure_rate = outbox_setting_number(settings, "failure_rate", 0);
        made->failure = outcome_of(outbox_setting_text(settings, "failure", "retry"));
        made->seed = (uint64_t)outbox_setting_integer(settings, "seed", 0);
    }
    if (!made || (made->delay > 0 && !start_timer(made))) {
        free(made);
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM",
                           "open the publisher \"null\": no memory or no thread for its delay");
    }
    *publisher = made;
    return OUTBOX_OK;
}

static void null_close(struct outbox_publisher *publisher)
{
    if (publisher->delay > 0)
        stop_timer(publisher);
    free(publisher);
}

static enum outbox_status null_ping(struct outbox_publisher *publisher, int64_t deadline,
                                    struct outbox_error *error)
{
    (void)publisher;
    (void)deadline;
    (void)error;
    return OUTBOX_OK;
}

static const struct outbox_option options[] = {
    {.name = "delay",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "0s",
     .help = "Time from taking a batch over to its outcome; 0: at once."},
    {.name = "failure_rate",
     .type = OUTBOX_OPTION_NUMBER,
     .default_value = "0",
     .minimum = 0,
     .maximum = 1,
     .help = "Share of the events that fail, chosen at random."},
    {.name = "failure",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "retry",
     .choices = "retry|unknown|rejected|away",
     .help = "What becomes of an event that fails."},
    {.name = "seed",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "0",
     .help = "Start of the random sequence: an equal seed chooses alike."},
};

static const struct outbox_publisher_ops ops = {
    OUTBOX_OPS(outbox_publisher_ops),
    .open = null_open,
    .close = null_close,
    .publish = null_publish,
    .flush = null_flush,
    .cancel = null_cancel,
    .ping = null_ping,
};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "null", .version = DRIVER_VERSION,
              .description = "Sends nothing: for tests and benchmarks", .publisher = &ops,
              OUTBOX_OPTIONS(options));
