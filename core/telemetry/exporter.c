/*
 * exporter.c - sends figures, spans and log lines to a collector, never in the work's way
 * SPDX-License-Identifier: MIT
 */
#include "exporter.h"

#include "../clock.h"
#include "endpoint.h"
#include "export_log.h"
#include "export_signal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_POLL 60000 /* milliseconds */

struct exporter {
    const struct telemetry_settings *settings;
    struct export_shared shared;
    struct export_signal signals[SIGNAL_COUNT];
    bool is_sent[SIGNAL_COUNT];
    pthread_t thread;
    _Atomic bool is_stopping;
};

/* ---- Whoever has something to send -------------------------------------------------------- */

static void wake(struct exporter *exporter)
{
    (void)exporter->shared.curl.multi_wakeup(exporter->shared.multi);
}

uint64_t exporter_span_room(const struct exporter *exporter)
{
    if (!exporter || !exporter->is_sent[SIGNAL_TRACES])
        return 0;
    return queue_room(&exporter->signals[SIGNAL_TRACES].queue);
}

void exporter_spans(struct exporter *exporter, struct span_list *list)
{
    if (!exporter || !exporter->is_sent[SIGNAL_TRACES]) {
        span_list_free(&list);
        return;
    }
    if (queue_put_spans(&exporter->signals[SIGNAL_TRACES].queue, list))
        wake(exporter);
}

/* The exporter's own lines are not sent: a failure to send lines must not make more of them. */
static void take_line(void *context, uint32_t level, const char *message,
                      const struct log_field *fields, size_t count)
{
    struct exporter *exporter = context;
    struct export_queue *queue = &exporter->signals[SIGNAL_LOGS].queue;

    if (pthread_equal(pthread_self(), exporter->thread))
        return;
    struct log_record *record =
        queue_room(queue) > 0 ? log_record_new(level, message, fields, count, clock_wall()) : NULL;
    if (!record)
        (void)atomic_fetch_add(&queue->dropped, 1);
    else if (queue_put_record(queue, record))
        wake(exporter);
}

/* ---- The thread --------------------------------------------------------------------------- */

/* Whether there was one: then something new may be due. */
static bool finish_requests(struct exporter *exporter)
{
    const struct curl_library *curl = &exporter->shared.curl;
    bool finished = false;
    int running, left;
    CURLMsg *message;

    (void)curl->multi_perform(exporter->shared.multi, &running);
    while ((message = curl->multi_info_read(exporter->shared.multi, &left))) {
        char *signal = NULL;
        CURLcode code = message->data.result;
        if (message->msg == CURLMSG_DONE &&
            curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &signal) == CURLE_OK)
            signal_finish((struct export_signal *)(void *)signal, code, clock_now());
        finished = true;
    }
    return finished;
}

static void wait_for_something(struct exporter *exporter, int64_t time)
{
    int64_t milliseconds = (time + MILLISECOND - 1) / MILLISECOND;
    (void)exporter->shared.curl.multi_poll(
        exporter->shared.multi, NULL, 0,
        (int)(milliseconds < LONGEST_POLL ? milliseconds : LONGEST_POLL), NULL);
}

static void begin_stop(struct exporter *exporter, int64_t now)
{
    exporter->shared.is_stopping = true;
    exporter->shared.stop_by = now + EXPORTER_LAST;
    for (int id = 0; id < SIGNAL_COUNT; id++)
        if (exporter->is_sent[id])
            signal_stop(&exporter->signals[id], now);
}

/* The time to wait until something is due, negative once all is over. */
static int64_t step(struct exporter *exporter)
{
    int64_t now = clock_now(), next = NEVER;

    allowance_charge(&exporter->shared.allowance, now, allowance_processor());
    if (!exporter->shared.is_stopping && atomic_load(&exporter->is_stopping))
        begin_stop(exporter, now);
    bool is_over = exporter->shared.is_stopping;
    for (int id = SIGNAL_COUNT - 1; id >= 0; id--) {
        if (!exporter->is_sent[id])
            continue;
        int64_t at = signal_step(&exporter->signals[id], now);
        next = at < next ? at : next;
        is_over = is_over && exporter->signals[id].is_over;
    }
    if (is_over || (exporter->shared.is_stopping && now >= exporter->shared.stop_by))
        return -1;
    return next > now ? next - now : 0;
}

static void *run(void *context)
{
    struct exporter *exporter = context;
    int64_t wait;

    allowance_init(&exporter->shared.allowance, exporter->settings->processor_share, clock_now(),
                   allowance_processor());
    while ((wait = step(exporter)) >= 0) {
        if (finish_requests(exporter))
            continue;
        wait_for_something(exporter, wait);
        (void)finish_requests(exporter);
    }
    return NULL;
}

/* ---- Start and end ------------------------------------------------------------------------ */

static bool is_wanted(const struct telemetry_settings *settings)
{
    for (int id = 0; id < SIGNAL_COUNT; id++)
        if (settings->signals[id].endpoint)
            return true;
    return false;
}

static void clear(struct exporter *exporter)
{
    struct export_shared *shared = &exporter->shared;

    for (int id = 0; id < SIGNAL_COUNT; id++)
        if (exporter->is_sent[id])
            signal_clear(&exporter->signals[id]);
    if (shared->multi)
        (void)shared->curl.multi_cleanup(shared->multi);
    resource_clear(&shared->resource);
    free(exporter);
}

static bool open_signals(struct exporter *exporter)
{
    for (int id = 0; id < SIGNAL_COUNT; id++) {
        const struct signal_settings *settings = &exporter->settings->signals[id];
        if (!settings->endpoint)
            continue;
        if (!signal_init(&exporter->signals[id], (enum signal)id, settings, &exporter->shared))
            return false;
        exporter->is_sent[id] = true;
    }
    return true;
}

/* Of the process' signals none is for this thread; SIGPIPE could come from a broken connection. */
static bool start_thread(struct exporter *exporter)
{
    sigset_t all, before;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&exporter->thread, NULL, run, exporter) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static bool open_exporter(struct exporter *exporter, const struct config *config)
{
    struct export_shared *shared = &exporter->shared;
    const char *reason = "out of memory or threads";

    if (curl_library_load(&shared->curl, &reason)) {
        shared->multi = shared->curl.multi_init();
        if (shared->multi && resource_init(&shared->resource, config) && open_signals(exporter) &&
            start_thread(exporter))
            return true;
    }
    log_line(OUTBOX_LOG_ERROR, "no telemetry is exported", FIELD("error", reason),
             FIELD("remedy", "is libcurl 7.87 or later installed?"));
    return false;
}

static void log_targets(const struct telemetry_settings *settings)
{
    char endpoint[ENDPOINT_TEXT];

    for (int id = 0; id < SIGNAL_COUNT; id++)
        if (settings->signals[id].endpoint)
            log_line(
                OUTBOX_LOG_INFO, "telemetry is exported",
                FIELD("signal", signal_name((enum signal)id)),
                FIELD("endpoint", endpoint_shown(settings->signals[id].endpoint, endpoint)),
                FIELD("protocol", settings->signals[id].is_json ? "http/json" : "http/protobuf"));
}

static void log_warnings(const struct telemetry_settings *settings)
{
    for (size_t i = 0; i < settings->warning_count; i++)
        log_line(OUTBOX_LOG_WARN, "a variable of the environment is wrong",
                 FIELD("variable", settings->warnings[i].variable),
                 FIELD("problem", settings->warnings[i].problem),
                 FIELD("remedy", settings->warnings[i].remedy));
}

struct exporter *exporter_start(const struct config *config, struct metrics *counts)
{
    log_warnings(&config->telemetry);
    if (!is_wanted(&config->telemetry))
        return NULL;
    struct exporter *exporter = calloc(1, sizeof(*exporter));
    if (!exporter) {
        log_line(OUTBOX_LOG_ERROR, "no telemetry is exported", FIELD("error", "out of memory"));
        return NULL;
    }
    exporter->settings = &config->telemetry;
    exporter->shared.counts = counts;
    exporter->shared.started = clock_wall();
    if (!open_exporter(exporter, config)) {
        clear(exporter);
        return NULL;
    }
    if (exporter->is_sent[SIGNAL_LOGS])
        log_set_sink(take_line, exporter);
    log_targets(exporter->settings);
    return exporter;
}

void exporter_observe(struct exporter *exporter, points_source *source, struct relay *relay)
{
    if (!exporter)
        return;
    exporter->shared.relay = relay;
    atomic_store_explicit(&exporter->shared.source, source, memory_order_release);
}

void exporter_stop(struct exporter **exporter)
{
    struct exporter *ended = *exporter;

    if (!ended)
        return;
    log_set_sink(NULL, NULL);
    atomic_store(&ended->is_stopping, true);
    wake(ended);
    (void)pthread_join(ended->thread, NULL);
    clear(ended);
    *exporter = NULL;
}

void exporter_spans_lost(struct exporter *exporter, uint64_t count)
{
    if (exporter)
        metrics_add(exporter->shared.counts, TELEMETRY_DROPPED, SIGNAL_TRACES, count);
}
