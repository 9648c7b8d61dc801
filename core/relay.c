/*
 * relay.c - all pipelines of a process, from start to drained
 * SPDX-License-Identifier: MIT
 */
#include "relay.h"

#include "clock.h"
#include "log.h"
#include "pipeline.h"
#include "relay_changes.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Drivers keep their calls short; one that does not is interrupted, and in the end left behind. */
#define PUSH_EVERY (200 * MILLISECOND)
#define LEAVE_AFTER (5 * SECOND)

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void relay_stop(struct relay *relay)
{
    /* A second wish to stop is for stopping at once. */
    int64_t time = relay->stopping ? 0 : relay->config->shutdown_timeout;

    relay->stopping = true;
    for (size_t i = 0; i < relay->count; i++)
        pipeline_stop(&relay->pipelines[i], clock_now() + time);
}

/* When a pipeline that stops is overdue; NEVER if it does not stop or has ended. */
static int64_t overdue_at(const struct pipeline *pipeline)
{
    if (atomic_load(&pipeline->ended) || pipeline_phase(pipeline) == PHASE_RUN)
        return NEVER;
    return atomic_load(&pipeline->abandon_at);
}

/* When to look next for overdue pipelines. */
static int64_t relay_deadline(const struct relay *relay)
{
    int64_t deadline = NEVER;

    for (size_t i = 0; i < relay->count; i++)
        if (overdue_at(&relay->pipelines[i]) < deadline)
            deadline = overdue_at(&relay->pipelines[i]);
    if (deadline != NEVER && deadline < relay->pushed_at + PUSH_EVERY)
        deadline = relay->pushed_at + PUSH_EVERY;
    return deadline;
}

static void relay_push(struct relay *relay)
{
    int64_t now = clock_now();

    if (now < relay_deadline(relay))
        return;
    relay->pushed_at = now;
    for (size_t i = 0; i < relay->count; i++) {
        int64_t overdue = overdue_at(&relay->pipelines[i]);
        if (now < overdue)
            continue;
        if (now - overdue >= LEAVE_AFTER) {
            log_line(OUTBOX_LOG_ERROR,
                     "a driver does not return: leaving; what is not settled comes again",
                     FIELD("pipeline", relay->pipelines[i].settings->name));
            _exit(1);
        }
        pipeline_interrupt(&relay->pipelines[i]);
    }
}

static void relay_retune(struct relay *relay, const struct config *fresh)
{
    for (size_t i = 0; i < relay->count; i++) {
        struct pipeline *pipeline = &relay->pipelines[i];
        for (size_t j = 0; j < fresh->pipeline_count; j++)
            if (strcmp(fresh->pipelines[j].name, pipeline->settings->name) == 0)
                pipeline_retune(pipeline, &fresh->pipelines[j].tunables);
    }
    relay_changes_log(relay->config, fresh);
    log_setup(fresh->log_level, fresh->log_format);
    log_line(OUTBOX_LOG_INFO, "configuration read again: intervals, limits, retries and the log "
                              "level apply now, all else at the next start");
}

static void relay_signal(struct relay *relay, uint32_t number,
                         struct config *(*reload)(void *context), void *context)
{
    if (number == SIGHUP) {
        struct config *fresh = reload(context);
        if (fresh)
            relay_retune(relay, fresh);
        config_free(&fresh);
        return;
    }
    log_line(OUTBOX_LOG_INFO, relay->stopping ? "second signal: leaving at once" : "stopping",
             FIELD("signal", strsignal((int)number)));
    relay_stop(relay);
}

static void relay_read_signals(struct relay *relay, struct config *(*reload)(void *context),
                               void *context)
{
    struct signalfd_siginfo info;

    while (read(relay->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        relay_signal(relay, info.ssi_signo, reload, context);
}

static bool relay_ended(const struct relay *relay)
{
    for (size_t i = 0; i < relay->count; i++)
        if (!atomic_load(&relay->pipelines[i].ended))
            return false;
    return true;
}

static void relay_sum(const struct relay *relay, struct relay_totals *totals)
{
    *totals = (struct relay_totals){0};
    for (size_t i = 0; i < relay->count; i++) {
        const struct metrics *part = &relay->pipelines[i].metrics;
        totals->claimed += metrics_read(part, EVENTS_CLAIMED, 0);
        totals->delivered += metrics_read(part, EVENTS_DELIVERED, 0);
        totals->dropped += metrics_read(part, EVENTS_DROPPED, 0);
        totals->retried += metrics_read(part, EVENTS_RETRIED, 0);
        totals->dead += metrics_read(part, EVENTS_DEAD, 0);
        totals->released += metrics_read(part, EVENTS_RELEASED, 0);
        totals->stale += metrics_read(part, EVENTS_STALE, 0);
    }
}

static bool relay_start(struct relay *relay, bool once)
{
    for (size_t i = 0; i < relay->config->pipeline_count; i++) {
        relay->count++;
        if (!pipeline_start(&relay->pipelines[i], relay->config, &relay->config->pipelines[i], once,
                            &relay->bell))
            return false;
    }
    return true;
}

int relay_run(const struct config *config, bool once, struct config *(*reload)(void *context),
              void *context, struct relay_totals *totals)
{
    struct relay relay = {.config = config, .started_at = clock_now(), .signals = open_signals()};
    bool failed = false, misconfigured = config->pipeline_count > 0;

    relay.pipelines = calloc(config->pipeline_count, sizeof(*relay.pipelines));
    if (relay.signals < 0 || !relay.pipelines || !metrics_init(&relay.metrics) ||
        !bell_init(&relay.bell)) {
        log_line(OUTBOX_LOG_ERROR, "out of memory or descriptors");
        metrics_clear(&relay.metrics);
        if (relay.signals >= 0)
            (void)close(relay.signals);
        free(relay.pipelines);
        return 1;
    }
    if (!relay_start(&relay, once)) {
        log_line(OUTBOX_LOG_ERROR, "out of memory, threads or descriptors",
                 FIELD("error", strerror(errno)));
        relay_stop(&relay);
        failed = true;
        atomic_store(&relay.pipelines[relay.count - 1].ended, true); /* it never began */
    }
    while (!relay_ended(&relay)) {
        if (bell_wait(&relay.bell, relay.signals, relay_deadline(&relay)))
            relay_read_signals(&relay, reload, context);
        relay_push(&relay);
    }
    relay_sum(&relay, totals);
    for (size_t i = 0; i < relay.count; i++) {
        pipeline_join(&relay.pipelines[i]);
        failed = failed || atomic_load(&relay.pipelines[i].failed);
        misconfigured = misconfigured && atomic_load(&relay.pipelines[i].misconfigured);
    }
    free(relay.pipelines);
    metrics_clear(&relay.metrics);
    bell_clear(&relay.bell);
    (void)close(relay.signals);
    if (misconfigured)
        return 2;
    return failed ? 1 : 0;
}
