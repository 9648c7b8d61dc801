/*
 * batch_spans.c - the spans of a batch that was settled, and of its events
 * SPDX-License-Identifier: MIT
 */
#include "batch_spans.h"

#include "clock.h"
#include "pipeline.h"
#include "telemetry/exporter.h"

#define SPAN_NAME 160

/* What the spans of one settling have in common. */
struct writing {
    struct tracer *tracer;
    const struct pipeline *pipeline;
    const struct settled_batch *settled;
    struct span_list *list;
    int64_t wall; /* added to a monotonic time, gives one of the clock on the wall */
};

static struct outbox_slice text(const char *words)
{
    return outbox_slice_of(words);
}

static bool has_id(const struct span_context *context)
{
    static const unsigned char none[SPAN_ID] = {0};
    return memcmp(context->span_id, none, SPAN_ID) != 0;
}

static struct span *add(const struct writing *writing, enum span_kind kind,
                        struct outbox_slice name, int64_t from, int64_t until)
{
    struct span *span = span_list_add(writing->list);

    if (!span)
        return NULL;
    span->kind = kind;
    span->name = name;
    span->start = from + writing->wall;
    span->end = (until > from ? until : from) + writing->wall;
    span_text(span, "outbox.pipeline", text(writing->pipeline->settings->name));
    return span;
}

/* ---- Events -------------------------------------------------------------------------------- */

static const char *outcome_name(uint8_t outcome)
{
    switch (outcome) {
    case OUTBOX_ACKED:
        return "acked";
    case OUTBOX_RETRY:
        return "retry";
    case OUTBOX_UNKNOWN:
    case OUTCOME_TIMED_OUT:
        return "unknown";
    case OUTBOX_REJECTED:
        return "rejected";
    case OUTBOX_AWAY:
        return "away";
    case OUTCOME_SHUTDOWN:
        return "shutdown";
    default:
        return "unsendable";
    }
}

static struct outbox_slice copy(const struct writing *writing, struct outbox_slice words)
{
    return words.data ? span_list_text(writing->list, words) : words;
}

/* The message of an event; NULL if none was made. Messages are in the order of their events. */
static const struct outbox_message *message_of(const struct batch *batch, uint64_t index)
{
    uint64_t low = 0, high = batch->view.count;

    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (batch->event_of[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < batch->view.count && batch->event_of[low] == index ? &batch->messages[low] : NULL;
}

static struct outbox_slice name_of_send(const struct writing *writing,
                                        const struct outbox_message *message)
{
    char name[SPAN_NAME];

    if (!message || message->topic.len == 0 || message->topic.len > SPAN_NAME - sizeof("send "))
        return text("send");
    int len =
        snprintf(name, sizeof(name), "send %.*s", (int)message->topic.len, message->topic.data);
    return span_list_text(writing->list, (struct outbox_slice){name, (uint64_t)len});
}

static void describe_message(const struct writing *writing, struct span *span,
                             const struct outbox_message *message)
{
    const struct outbox_plugin *plugin = writing->pipeline->settings->publisher.plugin;

    span_text(span, "messaging.system",
              text(plugin->messaging_system ? plugin->messaging_system : plugin->name));
    span_text(span, "messaging.operation.name", text("send"));
    span_text(span, "messaging.operation.type", text("send"));
    if (!message)
        return;
    span_text(span,
              plugin->topic_attribute ? plugin->topic_attribute : "messaging.destination.name",
              copy(writing, message->topic));
    if (plugin->key_attribute && message->key.data)
        span_text(span, plugin->key_attribute, copy(writing, message->key));
    span_number(span, "messaging.message.body.size", (int64_t)message->payload.len);
}

static void add_event(const struct writing *writing, const struct outbox_settlement *settlement)
{
    const struct batch *batch = writing->settled->batch;
    const struct batch_event *slot = &batch->events[settlement->index];
    const struct outbox_event *event = outbox_claim_at(batch->claim, settlement->index);
    const struct outbox_message *message = message_of(batch, settlement->index);
    uint8_t outcome = batch_outcome(batch, settlement->index);
    bool answered = outcome <= OUTBOX_AWAY && slot->completed_at != 0;
    int64_t from = message && batch->published_at ? batch->published_at : batch->claim_until;
    struct span *span = add(writing, SPAN_PRODUCER, name_of_send(writing, message), from,
                            answered ? slot->completed_at : writing->settled->from);

    if (!span)
        return;
    span->context = slot->trace->context;
    memcpy(span->parent_id, slot->trace->parent_id, SPAN_ID);
    span->trace_state = copy(writing, slot->trace->state);
    span->link = batch->span;
    describe_message(writing, span, message);
    span_text(span, "messaging.message.id", copy(writing, event->id));
    span_text(span, "outbox.event.type", copy(writing, event->type));
    span_text(span, "outbox.outcome", text(outcome_name(outcome)));
    span_number(span, "outbox.attempt", event->attempts + 1);
    if (outcome == OUTBOX_ACKED)
        return;
    span->failed = true;
    span->failure = copy(writing, settlement->error);
    span_text(span, "error.type", text(outcome_name(outcome)));
}

/* Itself, claim and settle; publish where there was something to. */
static uint64_t count_steps(const struct settled_batch *settled)
{
    if (!settled->is_last || !has_id(&settled->batch->span))
        return 0;
    return settled->batch->view.count > 0 ? 4 : 3;
}

static uint64_t count_events(const struct settled_batch *settled)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < settled->count; i++)
        count += settled->batch->events[settled->settlements[i].index].trace != NULL;
    return count;
}

static void add_events(const struct writing *writing)
{
    const struct settled_batch *settled = writing->settled;

    for (uint64_t i = 0; i < settled->count && writing->list->count < writing->list->capacity; i++)
        if (settled->batch->events[settled->settlements[i].index].trace)
            add_event(writing, &settled->settlements[i]);
}

/* ---- The batch ----------------------------------------------------------------------------- */

static void add_step(const struct writing *writing, enum span_kind kind, const char *name,
                     int64_t from, int64_t until)
{
    const struct batch *batch = writing->settled->batch;
    struct span *span = add(writing, kind, text(name), from, until);

    if (!span)
        return;
    span->context = tracer_child(writing->tracer, &batch->span);
    memcpy(span->parent_id, batch->span.span_id, SPAN_ID);
    span_text(span, "outbox.driver",
              text(kind == SPAN_CLIENT ? writing->pipeline->settings->store.plugin->name
                                       : writing->pipeline->settings->publisher.plugin->name));
}

static void add_batch(const struct writing *writing)
{
    const struct settled_batch *settled = writing->settled;
    const struct batch *batch = settled->batch;
    struct span *span =
        add(writing, SPAN_INTERNAL, text("relay batch"), batch->claim_from, settled->until);

    if (!span)
        return;
    span->context = batch->span;
    span_number(span, "messaging.batch.message_count", (int64_t)batch->count);
    span_number(span, "outbox.batch.bytes", (int64_t)batch->bytes);
    add_step(writing, SPAN_CLIENT, "claim", batch->claim_from, batch->claim_until);
    if (batch->view.count > 0)
        add_step(writing, SPAN_INTERNAL, "publish", batch->published_at, settled->from);
    add_step(writing, SPAN_CLIENT, "settle", settled->from, settled->until);
}

/* ---- Both ---------------------------------------------------------------------------------- */

void batch_spans_send(struct tracer *tracer, const struct pipeline *pipeline,
                      const struct settled_batch *settled)
{
    uint64_t steps = count_steps(settled), wanted = steps + count_events(settled);
    uint64_t room = exporter_span_room(tracer->exporter);
    uint64_t count = wanted < room ? wanted : room;
    struct span_list *list = count > 0 ? span_list_new(count) : NULL;

    if (!list) {
        exporter_spans_lost(tracer->exporter, wanted);
        return;
    }
    const struct writing writing = {.tracer = tracer,
                                    .pipeline = pipeline,
                                    .settled = settled,
                                    .list = list,
                                    .wall = clock_wall() - clock_now()};
    if (steps > 0 && count >= steps)
        add_batch(&writing);
    add_events(&writing);
    exporter_spans_lost(tracer->exporter, wanted - list->count);
    exporter_spans(tracer->exporter, list);
}
