/*
 * link.c - what other threads want of a link: orders, questions, its end
 * SPDX-License-Identifier: MIT
 */
#include "link.h"

#include "outcome.h"
#include "turn.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

void *link_main(void *context);

static void wake(struct link *link)
{
    const uint64_t one = 1;
    /* It can only fail where the thread has been rung already. */
    ssize_t written = write(link->wake_fd, &one, sizeof(one));
    (void)written;
}

/* ---- Beginning and end -------------------------------------------------------------------- */

static bool make_locks(struct link *link)
{
    if (pthread_mutex_init(&link->mutex, NULL) != 0)
        return false;
    if (condition_init(&link->answered))
        return true;
    (void)pthread_mutex_destroy(&link->mutex);
    return false;
}

static void release(struct link *link)
{
    flight_clear(&link->main.flight);
    flight_clear(&link->probe.flight);
    parcel_clear(&link->parcel);
    exchanges_clear(&link->exchanges);
    wire_stop(&link->wire);
    free(link->again);
    if (link->wake_fd >= 0)
        (void)close(link->wake_fd);
    (void)pthread_cond_destroy(&link->answered);
    (void)pthread_mutex_destroy(&link->mutex);
}

bool link_start(struct link *link, const struct outbox_host *host, const struct settings *settings)
{
    *link = (struct link){.host = host,
                          .settings = settings,
                          .wake_fd = -1,
                          .wire = {.transport = {.fd = -1}},
                          .report = {.host = host},
                          .main = {.number = CHANNEL_MAIN},
                          .probe = {.number = CHANNEL_PROBE}};
    if (!make_locks(link))
        return false;
    link->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* What is in flight, and the message that is held. */
    link->again = calloc(settings->window + 2, sizeof(*link->again));
    if (link->wake_fd >= 0 && link->again && flight_init(&link->main.flight, settings->window) &&
        flight_init(&link->probe.flight, 1) &&
        pthread_create(&link->thread, NULL, link_main, link) == 0)
        return true;
    release(link);
    return false;
}

void link_stop(struct link *link)
{
    atomic_store(&link->is_stopping, true);
    wake(link);
}

void link_join(struct link *link)
{
    (void)pthread_join(link->thread, NULL);
    release(link);
}

/* ---- Orders ------------------------------------------------------------------------------- */

struct order *order_new(const struct outbox_batch *batch, uint64_t run_count)
{
    struct order *order = malloc(sizeof(*order) + run_count * sizeof(order->runs[0]));
    if (order)
        *order = (struct order){.batch = batch, .run_count = run_count};
    return order;
}

void order_free(struct order *order)
{
    free(order);
}

void link_push(struct link *link, struct order *order)
{
    (void)pthread_mutex_lock(&link->mutex);
    if (link->last_order)
        link->last_order->next = order;
    else
        link->first_order = order;
    link->last_order = order;
    (void)pthread_mutex_unlock(&link->mutex);
    wake(link);
}

/* Under the mutex. The first order has gone as a whole. */
static struct order *drop_first(struct link *link)
{
    struct order *order = link->first_order;
    link->first_order = order->next;
    if (!link->first_order)
        link->last_order = NULL;
    return order;
}

bool link_take(struct link *link, struct item *item)
{
    struct order *gone = NULL;
    (void)pthread_mutex_lock(&link->mutex);
    struct order *order = link->first_order;
    if (order) {
        struct run *run = &order->runs[order->at];
        *item = (struct item){order->batch, run->first++};
        if (--run->count == 0 && ++order->at == order->run_count)
            gone = drop_first(link);
    }
    (void)pthread_mutex_unlock(&link->mutex);
    order_free(gone);
    return order != NULL;
}

/* Completes what an order still has, and frees it. */
static void finish_order(const struct outbox_host *host, struct order *order,
                         enum outbox_outcome outcome, const char *reason)
{
    for (uint64_t i = order->at; i < order->run_count; i++)
        outcome_complete(host, order->batch, order->runs[i].first, order->runs[i].count, outcome,
                         reason);
    order_free(order);
}

static void finish_orders(const struct outbox_host *host, struct order *order,
                          enum outbox_outcome outcome, const char *reason)
{
    while (order) {
        struct order *next = order->next;
        finish_order(host, order, outcome, reason);
        order = next;
    }
}

void link_give_up_queue(struct link *link, enum outbox_outcome outcome, const char *reason)
{
    (void)pthread_mutex_lock(&link->mutex);
    struct order *orders = link->first_order;
    link->first_order = link->last_order = NULL;
    (void)pthread_mutex_unlock(&link->mutex);
    finish_orders(link->host, orders, outcome, reason);
}

void link_cancel(struct link *link, const struct outbox_batch *batch)
{
    struct order *cancelled = NULL;
    (void)pthread_mutex_lock(&link->mutex);
    struct order **at = &link->first_order;
    link->last_order = NULL;
    while (*at) {
        struct order *order = *at;
        if (order->batch == batch) {
            *at = order->next;
            order->next = cancelled;
            cancelled = order;
        } else {
            link->last_order = order;
            at = &order->next;
        }
    }
    (void)pthread_mutex_unlock(&link->mutex);
    finish_orders(link->host, cancelled, OUTBOX_RETRY, "cancelled before it was sent");
}

/* ---- Questions ---------------------------------------------------------------------------- */

/* Under the mutex. False if the time is over. */
static bool wait_for(struct link *link, enum inquiry_state state, int64_t deadline)
{
    while (link->inquiry.state != state) {
        int64_t left = deadline - link->host->now(link->host);
        if (left <= 0)
            return false;
        condition_wait(&link->answered, &link->mutex, left);
    }
    return true;
}

static void write_down(struct inquiry *inquiry, const struct question *question)
{
    inquiry->question = *question;
    if (question->exchange.len > 0)
        memcpy(inquiry->exchange, question->exchange.data, question->exchange.len);
    if (question->key.len > 0)
        memcpy(inquiry->key, question->key.data, question->key.len);
    inquiry->question.exchange.data = inquiry->exchange;
    inquiry->question.key.data = inquiry->key;
    inquiry->is_abandoned = false;
    inquiry->state = INQUIRY_WANTED;
}

void link_ask(struct link *link, const struct question *question, int64_t deadline,
              struct answer *answer)
{
    struct inquiry *inquiry = &link->inquiry;
    *answer = (struct answer){.status = OUTBOX_UNAVAILABLE};
    (void)snprintf(answer->text, sizeof(answer->text), "%s did not answer in time",
                   link->settings->place);
    (void)pthread_mutex_lock(&link->mutex);
    if (wait_for(link, INQUIRY_FREE, deadline)) {
        write_down(inquiry, question);
        wake(link);
        if (wait_for(link, INQUIRY_DONE, deadline)) {
            *answer = inquiry->answer;
            inquiry->state = INQUIRY_FREE;
            (void)pthread_cond_broadcast(&link->answered);
        } else {
            inquiry->is_abandoned = true;
        }
    }
    (void)pthread_mutex_unlock(&link->mutex);
}
