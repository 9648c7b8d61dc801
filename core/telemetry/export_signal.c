/*
 * export_signal.c - one signal's way out: what is due is made a request, sent, and sent again
 * SPDX-License-Identifier: MIT
 */
#include "export_signal.h"

#include "../clock.h"
#include "export_log.h"

#include <stdlib.h>

#define BACKOFF_BASE (1 * SECOND)
#define BACKOFF_MOST (30 * SECOND)
#define LAST_REQUEST (2 * SECOND) /* what a request may take while stopping */
#define ARENA_BLOCK ((size_t)64 * 1024)

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool signal_init(struct export_signal *signal, enum signal id,
                 const struct signal_settings *settings, struct export_shared *shared)
{
    *signal = (struct export_signal){.shared = shared, .settings = settings, .id = id};
    signal->due_at = clock_now() + settings->delay;
    backoff_init(&signal->backoff, BACKOFF_BASE, BACKOFF_MOST);
    if (!queue_init(&signal->queue, settings->queue_size, settings->batch_size))
        return false;
    if (request_init(&signal->request, &shared->curl, shared->multi, settings, signal))
        return true;
    queue_clear(&signal->queue);
    return false;
}

/* ---- Counting ----------------------------------------------------------------------------- */

static void count(struct export_signal *signal, enum instrument_id id, uint64_t items)
{
    if (items > 0)
        metrics_add(signal->shared->counts, id, signal->id, items);
}

static void drop_body(struct export_signal *signal)
{
    (void)atomic_fetch_add(&signal->queue.dropped, signal->body.items);
    body_clear(&signal->body);
}

/* Spans that were not even made are counted already, by who would have made them. */
static void count_drops(struct export_signal *signal, int64_t now)
{
    uint64_t dropped = atomic_load(&signal->queue.dropped);
    count(signal, TELEMETRY_DROPPED, dropped - signal->counted_drops);
    signal->counted_drops = dropped;
    export_log_drops(signal, metrics_read(signal->shared->counts, TELEMETRY_DROPPED, signal->id),
                     now);
}

/* What has not gone out by now never will. */
void signal_clear(struct export_signal *signal)
{
    drop_body(signal);
    (void)atomic_fetch_add(&signal->queue.dropped, atomic_load(&signal->queue.count));
    count_drops(signal, NEVER);
    request_clear(&signal->request);
    queue_clear(&signal->queue);
}

/* ---- The next body ------------------------------------------------------------------------ */

static const ProtobufCMessage *make_metrics(struct export_signal *signal, struct arena *arena,
                                            uint64_t *items)
{
    struct export_shared *shared = signal->shared;
    points_source *source = atomic_load_explicit(&shared->source, memory_order_acquire);

    signal->is_last_made = shared->is_stopping;
    *items = 0;
    if (!source)
        return NULL;
    return encode_metrics(arena, &shared->resource, source, shared->relay, shared->started, items);
}

static bool finish_body(struct export_signal *signal, const ProtobufCMessage *message,
                        uint64_t items)
{
    bool made = message && items > 0 && body_make(&signal->body, message, items, signal->settings);
    if (!made)
        (void)atomic_fetch_add(&signal->queue.dropped, items);
    return made;
}

static bool make_from_spans(struct export_signal *signal, struct arena *arena)
{
    uint64_t offset, items;
    const struct span_list *lists = queue_look_spans(&signal->queue, &offset, &items);
    const ProtobufCMessage *message =
        items > 0 ? encode_spans(arena, &signal->shared->resource, lists, offset, items) : NULL;
    bool made = finish_body(signal, message, items);

    queue_drop_spans(&signal->queue, items);
    return made;
}

static bool make_from_records(struct export_signal *signal, struct arena *arena)
{
    uint64_t items;
    struct log_record *next, *records = queue_take_records(&signal->queue, &items);
    bool made = finish_body(signal, encode_logs(arena, &signal->shared->resource, records), items);

    for (; records; records = next) {
        next = records->next;
        free(records);
    }
    return made;
}

/* False if there is nothing to send, or no memory to send it. */
static bool make_body(struct export_signal *signal)
{
    struct arena arena;
    uint64_t items;
    bool made = false;

    arena_init(&arena, ARENA_BLOCK);
    switch (signal->id) {
    case SIGNAL_METRICS: {
        const ProtobufCMessage *message = make_metrics(signal, &arena, &items);
        made = finish_body(signal, message, items);
        break;
    }
    case SIGNAL_TRACES:
        made = make_from_spans(signal, &arena);
        break;
    default:
        made = make_from_records(signal, &arena);
        break;
    }
    arena_clear(&arena);
    return made;
}

/* While stopping all that there is; else what is due by time, or a full batch. */
static bool is_due(const struct export_signal *signal, int64_t now)
{
    uint64_t waiting = atomic_load(&signal->queue.count);

    if (signal->shared->is_stopping)
        return signal->id == SIGNAL_METRICS ? !signal->is_last_made : waiting > 0;
    return now >= signal->due_at ||
           (signal->id != SIGNAL_METRICS && waiting >= signal->settings->batch_size);
}

/* Figures are few, and what is left at the end has little time. */
static int64_t allowed_at(const struct export_signal *signal, int64_t now)
{
    if (signal->id == SIGNAL_METRICS || signal->shared->is_stopping)
        return now;
    return allowance_ready_at(&signal->shared->allowance, now);
}

/* ---- Sending ------------------------------------------------------------------------------ */

static void send_body(struct export_signal *signal, int64_t now)
{
    const struct export_shared *shared = signal->shared;

    signal->deadline = sooner(now + signal->settings->timeout, signal->give_up_at);
    if (shared->is_stopping)
        signal->deadline = sooner(sooner(signal->deadline, now + LAST_REQUEST), shared->stop_by);
    signal->is_sending = request_begin(&signal->request, &signal->body);
    if (!signal->is_sending)
        drop_body(signal);
}

/* What the collector does not take now is sent again, unless that would be too late. */
static void wait_or_drop(struct export_signal *signal, int64_t held_back, int64_t now)
{
    int64_t wait = held_back > 0 ? held_back : backoff_delay(&signal->backoff);

    signal->send_at = now + wait;
    signal->is_held_back = held_back > 0;
    if (signal->shared->is_stopping)
        signal->is_over = true;
    if (signal->is_over || signal->send_at >= signal->give_up_at)
        drop_body(signal);
}

/* Who refuses one batch after the other would refuse the next one, too: making it is work for
 * nothing. */
static void rest_if_again(struct export_signal *signal, int64_t now)
{
    if (!signal->is_refused)
        backoff_reset(&signal->backoff);
    else if (!signal->shared->is_stopping)
        signal->send_at = now + backoff_delay(&signal->backoff);
}

static void settle(struct export_signal *signal, const struct export_answer *answer,
                   int64_t held_back, int64_t now)
{
    char text[ANSWER_TEXT];
    uint64_t rejected;
    enum export_verdict verdict = answer_judge(answer, signal->body.items, &rejected, text);

    signal->is_sending = false;
    signal->is_held_back = false;
    if (verdict != EXPORT_TAKEN)
        count(signal, TELEMETRY_FAILURES, 1);
    export_log_answer(signal, verdict, answer, rejected, text, now);
    if (verdict == EXPORT_RETRY) {
        wait_or_drop(signal, held_back, now);
        return;
    }
    if (verdict == EXPORT_REFUSED)
        rest_if_again(signal, now);
    signal->is_refused = verdict == EXPORT_REFUSED;
    if (verdict == EXPORT_TAKEN) {
        backoff_reset(&signal->backoff);
        count(signal, TELEMETRY_EXPORTED, signal->body.items - rejected);
        signal->body.items = rejected;
    }
    drop_body(signal);
}

void signal_finish(struct export_signal *signal, CURLcode code, int64_t now)
{
    struct export_answer answer;
    int64_t held_back = request_end(&signal->request, code, &answer);
    settle(signal, &answer, held_back, now);
}

/* ---- The step ----------------------------------------------------------------------------- */

/* Newer figures hold all that older ones did: nothing is lost with these. */
static void replace_figures(struct export_signal *signal, int64_t now)
{
    if (signal->id == SIGNAL_METRICS && signal->body.items > 0 && is_due(signal, now))
        body_clear(&signal->body);
}

static int64_t step_waiting(struct export_signal *signal, int64_t now)
{
    replace_figures(signal, now);
    if (now < signal->send_at)
        return signal->send_at;
    if (signal->body.items == 0) {
        if (!is_due(signal, now)) {
            signal->is_over = signal->shared->is_stopping;
            return signal->is_over ? NEVER : signal->due_at;
        }
        if (allowed_at(signal, now) > now)
            return allowed_at(signal, now);
        signal->due_at = now + signal->settings->delay;
        if (!make_body(signal))
            return signal->shared->is_stopping ? now : signal->due_at;
        signal->give_up_at = now + signal->settings->patience;
    }
    send_body(signal, now);
    return signal->is_sending ? signal->deadline : now;
}

int64_t signal_step(struct export_signal *signal, int64_t now)
{
    count_drops(signal, now);
    if (signal->is_sending && now < signal->deadline)
        return signal->deadline;
    if (signal->is_sending)
        signal_finish(signal, CURLE_OPERATION_TIMEDOUT, now);
    int64_t next = signal->is_over ? NEVER : step_waiting(signal, now);
    count_drops(signal, now);
    return next;
}

void signal_stop(struct export_signal *signal, int64_t now)
{
    if (signal->is_sending) {
        signal->deadline =
            sooner(signal->deadline, sooner(now + LAST_REQUEST, signal->shared->stop_by));
        return;
    }
    if (signal->send_at > now && signal->is_held_back) {
        if (signal->body.items > 0)
            drop_body(signal);
        signal->is_over = true;
    }
    signal->send_at = 0;
}
