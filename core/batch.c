/*
 * batch.c - one claim on its way over the broker: messages out, outcomes in
 * SPDX-License-Identifier: MIT
 */
#include "batch.h"

#include "clock.h"
#include "message.h"

#include <stdlib.h>

struct batch *batch_new(struct gate *gate, struct bell *gate_bell, struct bell *bell)
{
    struct batch *batch = calloc(1, sizeof(*batch));

    if (!batch)
        return NULL;
    pthread_mutex_init(&batch->reason_lock, NULL);
    arena_init(&batch->arena, 0);
    arena_init(&batch->reasons, 1024);
    batch->gate = gate;
    batch->gate_bell = gate_bell;
    batch->bell = bell;
    return batch;
}

void batch_free(struct batch **batch)
{
    struct batch *doomed = *batch;

    *batch = NULL;
    if (!doomed)
        return;
    arena_clear(&doomed->arena);
    arena_clear(&doomed->reasons);
    pthread_mutex_destroy(&doomed->reason_lock);
    free(doomed->events);
    free(doomed->messages);
    free(doomed->event_of);
    free(doomed);
}

static bool batch_reserve(struct batch *batch, uint64_t count)
{
    if (count <= batch->capacity)
        return true;
    void *events = calloc(count, sizeof(*batch->events));
    void *messages = calloc(count, sizeof(*batch->messages));
    void *event_of = calloc(count, sizeof(*batch->event_of));
    if (!events || !messages || !event_of) {
        free(events), free(messages), free(event_of);
        return false;
    }
    free(batch->events), free(batch->messages), free(batch->event_of);
    batch->events = events;
    batch->messages = messages;
    batch->event_of = event_of;
    batch->capacity = count;
    return true;
}

static bool batch_add(struct batch *batch, uint64_t index, const struct route *route,
                      uint64_t max_payload)
{
    struct batch_event *slot = &batch->events[index];
    struct outbox_slice why = {NULL, 0};

    atomic_init(&slot->outcome, OUTCOME_OPEN);
    atomic_init(&slot->completed, 0);
    slot->settled = false;
    slot->reason = why;
    slot->completed_at = 0;
    switch (message_make(route, outbox_claim_at(batch->claim, index), max_payload, &batch->arena,
                         &batch->messages[batch->view.count], &why)) {
    case MESSAGE_MADE:
        batch->event_of[batch->view.count++] = index;
        return true;
    case MESSAGE_DROPPED:
        atomic_init(&slot->outcome, OUTCOME_DROPPED);
        return true;
    case MESSAGE_NEVER:
        slot->reason = why;
        atomic_init(&slot->outcome, OUTCOME_UNSENDABLE);
        return true;
    case MESSAGE_NO_MEMORY:
        break;
    }
    return false;
}

bool batch_fill(struct batch *batch, struct outbox_claim *claim, const struct route *route,
                uint64_t max_payload, int64_t deadline)
{
    if (!batch_reserve(batch, claim->count))
        return false;
    arena_reset(&batch->arena);
    arena_reset(&batch->reasons);
    batch->view = (struct outbox_batch){.size = sizeof(struct outbox_batch),
                                        .messages = batch->messages,
                                        .message_size = sizeof(struct outbox_message),
                                        .deadline = deadline};
    batch->claim = claim;
    batch->count = claim->count;
    batch->settled = batch->bytes = 0;
    batch->settle_failures = 0;
    batch->given_up = batch->stranded = false;
    atomic_init(&batch->completed, 0);
    for (uint64_t i = 0; i < claim->count; i++) {
        batch->bytes += outbox_claim_at(claim, i)->payload.len;
        if (!batch_add(batch, i, route, max_payload)) {
            batch->claim = NULL;
            return false;
        }
    }
    return true;
}

/* A driver that breaks the contract harms this batch alone, and the log says which driver. */
static bool batch_accepts(const struct outbox_host *host, const struct batch *batch, uint64_t first,
                          uint64_t count)
{
    if (first <= batch->view.count && count <= batch->view.count - first && count > 0)
        return true;
    outbox_log(host, OUTBOX_LOG_ERROR,
               "the driver completed messages %llu to %llu of a batch of %llu: ignored",
               (unsigned long long)first, (unsigned long long)(first + count),
               (unsigned long long)batch->view.count);
    return false;
}

static struct outbox_slice batch_keep_reason(struct batch *batch,
                                             const struct outbox_result *result)
{
    struct outbox_slice kept = {"no reason given", 15};

    if (!result->reason.data || result->reason.len == 0)
        return kept;
    pthread_mutex_lock(&batch->reason_lock);
    char *copy = arena_alloc(&batch->reasons, result->reason.len);
    pthread_mutex_unlock(&batch->reason_lock);
    if (copy) {
        memcpy(copy, result->reason.data, result->reason.len);
        kept = (struct outbox_slice){copy, result->reason.len};
    }
    return kept;
}

static void batch_mark(struct batch *batch, uint64_t event, uint8_t outcome,
                       struct outbox_slice reason, int64_t now)
{
    struct batch_event *slot = &batch->events[event];
    uint8_t open = OUTCOME_OPEN;

    /* The owner reads these two only under an outcome of the driver, and only the driver's one
     * completion of an event writes them. */
    slot->reason = reason;
    slot->completed_at = now;
    atomic_compare_exchange_strong_explicit(&slot->outcome, &open, outcome, memory_order_release,
                                            memory_order_relaxed);
}

void batch_complete(const struct outbox_host *host, const struct outbox_batch *view, uint64_t first,
                    uint64_t count, const struct outbox_result *result)
{
    struct batch *batch = (struct batch *)(uintptr_t)view; /* ours: the driver sees it as const */
    struct bell *bell = batch->bell; /* the batch is the owner's again after the last count */
    uint64_t total = batch->view.count;
    uint64_t fresh = 0;
    uint8_t outcome = (uint8_t)result->outcome;
    struct outbox_slice reason = {NULL, 0};
    int64_t now = clock_now();

    if (!batch_accepts(host, batch, first, count))
        return;
    if (result->outcome < OUTBOX_ACKED || result->outcome > OUTBOX_AWAY) {
        outbox_log(host, OUTBOX_LOG_ERROR, "the driver reported outcome %u: taken as UNKNOWN",
                   result->outcome);
        outcome = OUTBOX_UNKNOWN;
    }
    if (outcome != OUTBOX_ACKED)
        reason = batch_keep_reason(batch, result);
    if (outcome == OUTBOX_AWAY && gate_shut(batch->gate, reason.data, reason.len)) {
        outbox_log(host, OUTBOX_LOG_WARN, "the publisher is away, the pipeline pauses: %.*s",
                   (int)reason.len, reason.data);
        bell_ring(batch->gate_bell);
    }
    for (uint64_t i = first; i < first + count; i++) {
        struct batch_event *slot = &batch->events[batch->event_of[i]];
        if (atomic_exchange_explicit(&slot->completed, 1, memory_order_relaxed)) {
            outbox_log(host, OUTBOX_LOG_ERROR, "the driver completed a message twice: ignored");
            continue;
        }
        batch_mark(batch, batch->event_of[i], outcome, reason, now);
        fresh++;
    }
    if (fresh > 0 &&
        atomic_fetch_add_explicit(&batch->completed, fresh, memory_order_acq_rel) + fresh == total)
        bell_ring(bell);
}

void batch_decide_open(struct batch *batch, uint8_t outcome)
{
    for (uint64_t i = 0; i < batch->count; i++) {
        uint8_t open = OUTCOME_OPEN;
        atomic_compare_exchange_strong_explicit(&batch->events[i].outcome, &open, outcome,
                                                memory_order_relaxed, memory_order_relaxed);
    }
    batch->given_up = true;
}

void batch_refuse(struct batch *batch, const struct outbox_error *error)
{
    uint64_t len = strlen(error->text);
    char *copy = arena_alloc(&batch->arena, len + 1);
    struct outbox_slice reason = {"the publisher refused the batch", 31};

    if (copy) {
        memcpy(copy, error->text, len + 1);
        reason = (struct outbox_slice){copy, len};
    }
    for (uint64_t i = 0; i < batch->view.count; i++)
        batch_mark(batch, batch->event_of[i], OUTBOX_AWAY, reason, 0);
    atomic_store_explicit(&batch->completed, batch->view.count, memory_order_relaxed);
}
