/*
 * delivery.c - what a courier does with its messages
 * SPDX-License-Identifier: MIT
 */
#include "delivery.h"

#include "answer.h"
#include "outcome.h"

#include <stdlib.h>

/* Bytes that the library may hold for the socket: enough for one large write. */
#define BUFFER_ENOUGH (UINT64_C(256) * 1024)
#define LONGEST_DOUBT (2 * SECOND)
#define FORBIDDEN_REASON 300
#define TEXT_KEPT (UINT64_C(64) * 1024)
#define COUNTER_DUPLICATES "nats_duplicates"

/* ---- Completing --------------------------------------------------------------------------- */

static void forget_parcel(struct courier *courier, struct parcel *parcel)
{
    if (courier->unsent == parcel)
        courier->unsent = parcel->behind;
    parcels_remove(&courier->parcels, parcel);
}

/* Completes messages of a parcel, which is gone with the last of them. */
static void complete(struct courier *courier, struct parcel *parcel, uint64_t first, uint64_t count,
                     enum outbox_outcome outcome, const char *reason)
{
    if (count == 0)
        return;
    const struct outbox_batch *batch = parcel->batch;
    (void)pthread_mutex_lock(&courier->lock);
    parcel->left -= count;
    bool is_done = parcel->left == 0;
    if (is_done)
        forget_parcel(courier, parcel);
    (void)pthread_mutex_unlock(&courier->lock);
    outcome_complete(courier->host, batch, first, count, outcome, reason);
    if (is_done)
        free(parcel);
    (void)pthread_mutex_lock(&courier->lock);
    courier->load -= count;
    if (courier->load == 0)
        (void)pthread_cond_broadcast(&courier->changed);
    (void)pthread_mutex_unlock(&courier->lock);
}

static void end_run(struct courier *courier)
{
    struct run run = courier->run;
    courier->run = (struct run){0};
    if (run.parcel)
        complete(courier, run.parcel, run.first, run.count, OUTBOX_ACKED, NULL);
}

/* The last completion of a parcel frees it, but not while some of it waits in the run. */
static void acknowledge(struct courier *courier, struct slot *slot)
{
    struct run *run = &courier->run;
    struct parcel *parcel = slot->parcel;
    uint64_t index = slot->index;
    window_give_back(&courier->window, slot);
    if (run->parcel == parcel && index == run->first + run->count) {
        run->count++;
        return;
    }
    end_run(courier);
    *run = (struct run){parcel, index, 1};
}

static void end_slot(struct courier *courier, struct slot *slot, enum outbox_outcome outcome,
                     const char *reason)
{
    struct parcel *parcel = slot->parcel;
    uint64_t index = slot->index;
    window_give_back(&courier->window, slot);
    complete(courier, parcel, index, 1, outcome, reason);
}

/* ---- Sending ------------------------------------------------------------------------------ */

static bool has_buffer(struct courier *courier)
{
    if (!atomic_load(&courier->link->wants_write))
        courier->buffered = 0;
    if (courier->buffered < BUFFER_ENOUGH)
        return true;
    int waiting = natsConnection_Buffered(courier->link->connection);
    courier->buffered = waiting > 0 ? (uint64_t)waiting : 0;
    return courier->buffered < BUFFER_ENOUGH;
}

static void explain_denial(char reason[FORBIDDEN_REASON], struct outbox_slice subject)
{
    (void)snprintf(reason, FORBIDDEN_REASON,
                   "subject %.*s: the server does not permit to publish to it; grant the right, or "
                   "change route.topic",
                   (int)(subject.len < 150 ? subject.len : 150), subject.data);
}

static bool put_off_forbidden(struct courier *courier, struct slot *slot, int64_t now)
{
    char reason[FORBIDDEN_REASON];
    struct outbox_slice topic = outbox_batch_at(slot->parcel->batch, slot->index)->topic;
    if (!forbidden_has(&courier->forbidden, topic, now))
        return false;
    explain_denial(reason, topic);
    end_slot(courier, slot, OUTBOX_RETRY, reason);
    return true;
}

static void lose(struct courier *courier, natsStatus status)
{
    courier->has_lost = true;
    (void)snprintf(courier->reason, sizeof(courier->reason), "%s", natsStatus_GetText(status));
}

static void send_one(struct courier *courier, int64_t now)
{
    struct parcel *parcel = courier->unsent;
    struct link *link = courier->link;
    uint64_t index = parcel->sent, size = 0;
    char reply[LINK_INBOX_SIZE + WINDOW_TOKEN_SIZE];
    struct refusal refusal;
    natsMsg *made = NULL;
    struct slot *slot = window_take(&courier->window, now);
    slot->parcel = parcel;
    slot->index = index;
    if (link->answers) {
        memcpy(reply, link->inbox, link->inbox_len);
        window_token(slot, reply + link->inbox_len);
    }
    if (++parcel->sent == parcel->count)
        courier->unsent = parcel->behind;
    if (put_off_forbidden(courier, slot, now))
        return;
    switch (message_compose(&courier->composer, outbox_batch_at(parcel->batch, index),
                            link->answers ? reply : NULL, &made, &size, &refusal)) {
    case REFUSED:
        end_slot(courier, slot, OUTBOX_REJECTED, refusal.reason);
        return;
    case NO_MEMORY:
        end_slot(courier, slot, OUTBOX_AWAY, "send to NATS: out of memory");
        return;
    case COMPOSED:
        break;
    }
    natsStatus status = natsConnection_PublishMsg(link->connection, made);
    natsMsg_Destroy(made);
    courier->buffered += size;
    atomic_store(&courier->last_sent, slot->serial);
    if (status != NATS_OK)
        lose(courier, status); /* and the message with it: it may have gone out */
}

void delivery_send(struct courier *courier)
{
    if (!courier->unsent || courier->unheard > 0)
        return;
    int64_t now = courier->host->now(courier->host);
    courier->composer.max_message = courier->link->max_message;
    while (courier->unsent && !window_is_full(&courier->window) && !courier->has_lost &&
           has_buffer(courier))
        send_one(courier, now);
    bytes_reset(&courier->composer.text, TEXT_KEPT);
}

/* ---- Answers ------------------------------------------------------------------------------ */

static void end_refused(struct courier *courier, struct slot *slot, const struct verdict *verdict)
{
    char reason[472];
    struct outbox_slice subject = outbox_batch_at(slot->parcel->batch, slot->index)->topic;
    (void)snprintf(reason, sizeof(reason), "subject %.*s: %s",
                   (int)(subject.len < 150 ? subject.len : 150), subject.data, verdict->reason);
    end_slot(courier, slot, verdict->outcome, reason);
}

static void take_ack(struct courier *courier, struct slot *slot, int64_t now)
{
    served_add(&courier->served, outbox_batch_at(slot->parcel->batch, slot->index)->topic, now);
    acknowledge(courier, slot);
}

static void take_answer(struct courier *courier, struct slot *slot, natsMsg *answer, int64_t now)
{
    const char *data = natsMsg_GetData(answer);
    int len = natsMsg_GetDataLength(answer);
    struct verdict verdict;
    if (len > 0 && answer_is_plain_ack(data, (size_t)len)) {
        take_ack(courier, slot, now);
        return;
    }
    answer_read(data ? data : "", (size_t)len, &verdict);
    if (verdict.outcome == OUTBOX_ACKED) {
        if (verdict.is_duplicate)
            courier->host->count(courier->host, COUNTER_DUPLICATES, 1);
        take_ack(courier, slot, now);
        return;
    }
    end_refused(courier, slot, &verdict);
}

void delivery_take_answers(struct courier *courier)
{
    struct link *link = courier->link;
    int64_t now = courier->host->now(courier->host);
    for (int count = link_answer_count(link); count > 0; count--) {
        bool is_unheard;
        natsMsg *answer = link_next_answer(link, &is_unheard);
        if (is_unheard && courier->unheard++ == 0)
            courier->unheard_since = now;
        if (!answer)
            continue;
        const char *subject = natsMsg_GetSubject(answer);
        struct slot *slot = strlen(subject) > link->inbox_len
                                ? window_find(&courier->window, subject + link->inbox_len)
                                : NULL;
        if (slot) /* else it comes too late: that message has been completed */
            take_answer(courier, slot, answer, now);
        natsMsg_Destroy(answer);
    }
    end_run(courier);
}

/* Nothing more is sent until it is known which messages it is that no stream takes: those that are
 * left once all others have their answers. If others have none either, though the server answers,
 * there is no telling, and nobody is dead for it. */
void delivery_settle_unheard(struct courier *courier)
{
    struct window *window = &courier->window;
    struct verdict verdict;
    if (courier->unheard == 0)
        return;
    int64_t now = courier->host->now(courier->host);
    bool is_sure = window->used <= courier->unheard;
    if (!is_sure) {
        (void)pthread_mutex_lock(&courier->lock);
        bool is_proved = courier->proved_since > courier->unheard_since;
        (void)pthread_mutex_unlock(&courier->lock);
        if (!is_proved || now - courier->unheard_since < LONGEST_DOUBT)
            return;
    }
    for (struct slot *slot = window_at(window, window->oldest), *behind; slot; slot = behind) {
        struct outbox_slice subject = outbox_batch_at(slot->parcel->batch, slot->index)->topic;
        behind = window_at(window, slot->behind);
        if (served_has(&courier->served, subject, now))
            answer_gone(&verdict);
        else
            answer_missing(is_sure, courier->settings->rejects_missing, &verdict);
        end_refused(courier, slot, &verdict);
    }
    courier->unheard = 0;
}

/* ---- Without an answer -------------------------------------------------------------------- */

static void deny(struct courier *courier, const char *subject)
{
    char reason[FORBIDDEN_REASON];
    struct window *window = &courier->window;
    explain_denial(reason, (struct outbox_slice){subject, strlen(subject)});
    for (struct slot *slot = window_at(window, window->oldest), *behind; slot; slot = behind) {
        behind = window_at(window, slot->behind);
        if (forbidden_names(subject, outbox_batch_at(slot->parcel->batch, slot->index)->topic))
            end_slot(courier, slot, OUTBOX_RETRY, reason);
    }
}

void delivery_take_denials(struct courier *courier)
{
    struct denial *denials = link_take_denials(courier->link);
    for (const struct denial *denial = denials; denial; denial = denial->next)
        deny(courier, denial->subject);
    denials_free(denials);
}

/* A message without a right is not answered either. The library tells only the last subject before
 * a round trip that was refused, so the others start anew on a new connection. */
static bool take_refusal(struct courier *courier)
{
    char text[300];
    if (!link_was_denied(courier->link, text, sizeof(text)))
        return false;
    const char *subject = strchr(text, '"');
    if (subject) {
        char *end = strchr(++subject, '"');
        if (end)
            *end = '\0';
        forbidden_add(&courier->forbidden, subject, courier->host->now(courier->host));
        deny(courier, subject);
    }
    courier->has_lost = true;
    (void)snprintf(courier->reason, sizeof(courier->reason),
                   "a message nearby was refused for lack of a right, and core NATS does not tell "
                   "which of several");
    return true;
}

void delivery_take_proof(struct courier *courier)
{
    struct window *window = &courier->window;
    (void)pthread_mutex_lock(&courier->lock);
    uint64_t proved = courier->proved;
    (void)pthread_mutex_unlock(&courier->lock);
    struct slot *slot = window_at(window, window->oldest);
    if (!slot || slot->serial > proved || take_refusal(courier))
        return;
    while (slot && slot->serial <= proved) {
        acknowledge(courier, slot);
        slot = window_at(window, window->oldest);
    }
    end_run(courier);
}

/* ---- Giving up ---------------------------------------------------------------------------- */

static void end_unsent(struct courier *courier, struct parcel *parcel, enum outbox_outcome outcome,
                       const char *reason)
{
    uint64_t first = parcel->sent;
    parcel->sent = parcel->count;
    if (courier->unsent == parcel)
        courier->unsent = parcel->behind;
    complete(courier, parcel, first, parcel->count - first, outcome, reason);
}

/* The messages on their way that were sent before then, of one parcel or of all (NULL), in runs. */
static void end_sent(struct courier *courier, const struct parcel *parcel, int64_t sent_before,
                     enum outbox_outcome outcome, const char *reason)
{
    struct window *window = &courier->window;
    struct run run = {0};
    for (struct slot *slot = window_at(window, window->oldest), *behind; slot; slot = behind) {
        behind = window_at(window, slot->behind);
        if ((parcel && slot->parcel != parcel) || slot->sent_at >= sent_before)
            continue;
        struct run next = {slot->parcel, slot->index, 1};
        window_give_back(window, slot);
        if (run.parcel == next.parcel && run.first + run.count == next.first) {
            run.count++;
            continue;
        }
        if (run.parcel)
            complete(courier, run.parcel, run.first, run.count, outcome, reason);
        run = next;
    }
    if (run.parcel)
        complete(courier, run.parcel, run.first, run.count, outcome, reason);
}

/* Sent before a round trip that succeeded, and not answered: the server answers, but not for these.
 * All others may be in the hands of a server that has fallen silent. The parcel may be gone after
 * the first of the two, and then no slot is its own. */
static void end_unanswered(struct courier *courier, const struct parcel *parcel,
                           int64_t sent_before)
{
    (void)pthread_mutex_lock(&courier->lock);
    int64_t proved_since = courier->proved_since;
    (void)pthread_mutex_unlock(&courier->lock);
    end_sent(courier, parcel, sent_before < proved_since ? sent_before : proved_since,
             OUTBOX_UNKNOWN,
             "the server answers, but no stream has acknowledged this event in time");
    end_sent(courier, parcel, sent_before, OUTBOX_AWAY, "the server has not answered in time");
}

static void expire_parcel(struct courier *courier, struct parcel *parcel)
{
    uint64_t unsent = parcel->count - parcel->sent;
    bool has_sent = parcel->left > unsent;
    if (unsent > 0)
        end_unsent(courier, parcel, courier->link ? OUTBOX_RETRY : OUTBOX_AWAY,
                   courier->link ? "not sent by its deadline: the window was full"
                                 : "not sent by its deadline: there is no connection");
    if (has_sent)
        end_unanswered(courier, parcel, INT64_MAX);
}

void delivery_expire(struct courier *courier)
{
    int64_t now = courier->host->now(courier->host), ack_timeout = courier->settings->ack_timeout;
    if (now < courier->next_expiry)
        return;
    int64_t next = now + SECOND;
    for (struct parcel *parcel = courier->parcels.first, *behind; parcel; parcel = behind) {
        behind = parcel->behind;
        if (parcel->deadline > now) {
            next = parcel->deadline < next ? parcel->deadline : next;
            if (ack_timeout > 0)
                end_unanswered(courier, parcel, now - ack_timeout);
        } else {
            expire_parcel(courier, parcel);
        }
    }
    courier->next_expiry = next;
}

void delivery_take_cancels(struct courier *courier)
{
    (void)pthread_mutex_lock(&courier->lock);
    bool is_cancelling = courier->is_cancelling;
    courier->is_cancelling = false;
    (void)pthread_mutex_unlock(&courier->lock);
    if (!is_cancelling)
        return;
    for (struct parcel *parcel = courier->parcels.first, *behind; parcel; parcel = behind) {
        behind = parcel->behind;
        (void)pthread_mutex_lock(&courier->lock);
        bool is_cancelled = parcel->is_cancelled;
        (void)pthread_mutex_unlock(&courier->lock);
        if (is_cancelled && parcel->sent < parcel->count)
            end_unsent(courier, parcel, OUTBOX_RETRY, "given up before it was sent");
    }
}

void delivery_give_up(struct courier *courier, enum outbox_outcome outcome, const char *reason)
{
    end_run(courier);
    end_sent(courier, NULL, INT64_MAX, outcome, reason);
    for (struct parcel *parcel = courier->parcels.first, *behind; parcel; parcel = behind) {
        behind = parcel->behind;
        end_unsent(courier, parcel, outcome, reason);
    }
}
