/*
 * courier.c - one connection and the thread that sends and takes answers on it
 * SPDX-License-Identifier: MIT
 */
#include "courier.h"

#include "delivery.h"
#include "library.h"
#include "pulse.h"
#include "turn.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ATTEMPT_GRACE SECOND

/* ---- What other threads call -------------------------------------------------------------- */

void courier_wake(struct courier *courier)
{
    uint64_t one = 1;
    (void)!write(courier->wake_fd, &one, sizeof(one));
}

bool courier_publish(struct courier *courier, const struct outbox_batch *batch)
{
    struct parcel *parcel = calloc(1, sizeof(*parcel));
    if (!parcel)
        return false;
    parcel->batch = batch;
    parcel->count = parcel->left = batch->count;
    parcel->deadline = batch->deadline;
    (void)pthread_mutex_lock(&courier->lock);
    parcels_append(&courier->handed, parcel);
    courier->load += parcel->count;
    (void)pthread_mutex_unlock(&courier->lock);
    courier_wake(courier);
    return true;
}

static bool cancel_in(struct parcels *parcels, const struct outbox_batch *batch)
{
    for (struct parcel *parcel = parcels->first; parcel; parcel = parcel->behind) {
        if (parcel->batch == batch) {
            parcel->is_cancelled = true;
            return true;
        }
    }
    return false;
}

bool courier_cancel(struct courier *courier, const struct outbox_batch *batch)
{
    (void)pthread_mutex_lock(&courier->lock);
    bool is_here = cancel_in(&courier->parcels, batch) || cancel_in(&courier->handed, batch);
    courier->is_cancelling = courier->is_cancelling || is_here;
    (void)pthread_mutex_unlock(&courier->lock);
    if (is_here)
        courier_wake(courier);
    return is_here;
}

uint64_t courier_load(struct courier *courier)
{
    (void)pthread_mutex_lock(&courier->lock);
    uint64_t load = courier->load;
    (void)pthread_mutex_unlock(&courier->lock);
    return load;
}

/* Waits for a change, with the lock held; false at the deadline. */
static bool wait_change(struct courier *courier, int64_t deadline)
{
    int64_t left = deadline - courier->host->now(courier->host);
    if (left <= 0)
        return false;
    condition_wait(&courier->changed, &courier->lock, left);
    return true;
}

bool courier_wait_idle(struct courier *courier, int64_t deadline)
{
    (void)pthread_mutex_lock(&courier->lock);
    while (courier->load > 0 && wait_change(courier, deadline))
        ;
    bool is_idle = courier->load == 0;
    (void)pthread_mutex_unlock(&courier->lock);
    return is_idle;
}

struct link *courier_link(struct courier *courier, int64_t deadline, enum outbox_status *status,
                          struct outbox_error *error)
{
    (void)pthread_mutex_lock(&courier->lock);
    uint64_t seen = courier->failures;
    if (!courier->link) {
        courier->is_wanted = true;
        courier_wake(courier);
    }
    while (!courier->link && courier->failures == seen && wait_change(courier, deadline))
        ;
    struct link *link = courier->link ? link_hold(courier->link) : NULL;
    *status = OUTBOX_OK;
    if (!link && courier->failures != seen) {
        *status = courier->last_status;
        *error = courier->last_error;
    } else if (!link) {
        const struct address *address = &courier->settings->addresses.servers[0];
        *status =
            outbox_fail(error, OUTBOX_UNAVAILABLE, "",
                        "connect to %.200s: not connected within the time for it", address->place);
    }
    (void)pthread_mutex_unlock(&courier->lock);
    return link;
}

/* ---- The connection ----------------------------------------------------------------------- */

static void set_link(struct courier *courier, struct link *link)
{
    if (link)
        link->owner = pthread_self();
    (void)pthread_mutex_lock(&courier->lock);
    courier->link = link;
    courier->is_wanted = courier->is_wanted && !link;
    (void)pthread_cond_broadcast(&courier->changed);
    (void)pthread_mutex_unlock(&courier->lock);
}

static void close_link(struct courier *courier)
{
    struct link *link = courier->link;
    set_link(courier, NULL);
    atomic_store(&courier->busy_since, courier->host->now(courier->host));
    link_close(link);
    atomic_store(&courier->busy_since, 0);
    link_release(link);
}

static void fail_attempt(struct courier *courier, enum outbox_status status,
                         const struct outbox_error *error)
{
    (void)pthread_mutex_lock(&courier->lock);
    courier->failures++;
    courier->is_wanted = false;
    courier->last_status = status;
    courier->last_error = *error;
    (void)pthread_cond_broadcast(&courier->changed);
    (void)pthread_mutex_unlock(&courier->lock);
    delivery_give_up(courier, OUTBOX_AWAY, error->text);
}

static void lose_link(struct courier *courier)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    enum outbox_status status = OUTBOX_OK;
    char reason[640], refusal[sizeof(courier->reason)];
    if (link_refusal(courier->link, refusal, sizeof(refusal)))
        status = link_refused(courier->link, refusal, &error);
    (void)snprintf(reason, sizeof(reason), "the connection to %s was lost: %s",
                   courier->link->place, courier->reason);
    outbox_log(courier->host, OUTBOX_LOG_WARN, "%.500s", reason);
    courier->was_lost = true;
    courier->has_lost = false;
    courier->buffered = 0;
    courier->unheard = 0;
    close_link(courier);
    if (status == OUTBOX_OK)
        delivery_give_up(courier, OUTBOX_AWAY, reason);
    else /* whoever waits for a connection would get another one like it */
        fail_attempt(courier, status, &error);
}

static void start_attempt(struct courier *courier)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    courier->attempt = attempt_start(courier->settings, courier->server, courier->wake_fd);
    courier->attempt_began = courier->host->now(courier->host);
    if (!courier->attempt)
        fail_attempt(courier,
                     outbox_fail(&error, OUTBOX_INTERNAL, "EAGAIN",
                                 "connect to NATS: no thread or no memory for it"),
                     &error);
}

static void finish_attempt(struct courier *courier)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    enum outbox_status status;
    struct link *link = attempt_finish(courier->attempt, &courier->server, &status, &error);
    courier->attempt = NULL;
    if (!link) {
        /* Not the same one first again, where there are others. */
        courier->server = (courier->server + 1) % courier->settings->addresses.count;
        fail_attempt(courier, status, &error);
        return;
    }
    atomic_store(&courier->heard_at, courier->host->now(courier->host));
    outbox_log(courier->host, courier->was_lost ? OUTBOX_LOG_INFO : OUTBOX_LOG_DEBUG,
               "connected to %s%s", link->place, courier->was_lost ? " again" : "");
    courier->was_lost = false;
    set_link(courier, link);
}

static void give_up_attempt(struct courier *courier)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    const struct settings *settings = courier->settings;
    int64_t most = (int64_t)settings->addresses.count * settings->connect_timeout + ATTEMPT_GRACE;
    if (courier->host->now(courier->host) - courier->attempt_began < most)
        return;
    attempt_give_up(courier->attempt);
    courier->attempt = NULL;
    enum outbox_status status = outbox_fail(&error, OUTBOX_UNAVAILABLE, "",
                                            "connect to %.200s: no answer within connect_timeout",
                                            settings->addresses.servers[courier->server].place);
    courier->server = (courier->server + 1) % settings->addresses.count;
    fail_attempt(courier, status, &error);
}

static void tend_connection(struct courier *courier)
{
    if (courier->link)
        return;
    (void)pthread_mutex_lock(&courier->lock);
    bool is_wanted = courier->is_wanted || courier->parcels.first;
    (void)pthread_mutex_unlock(&courier->lock);
    if (courier->attempt && attempt_is_done(courier->attempt))
        finish_attempt(courier);
    else if (courier->attempt)
        give_up_attempt(courier);
    else if (is_wanted)
        start_attempt(courier);
}

/* ---- The thread --------------------------------------------------------------------------- */

static void take_handed(struct courier *courier)
{
    (void)pthread_mutex_lock(&courier->lock);
    struct parcel *first = courier->handed.first;
    for (struct parcel *parcel = first, *behind; parcel; parcel = behind) {
        behind = parcel->behind;
        parcels_append(&courier->parcels, parcel);
        if (!courier->unsent)
            courier->unsent = parcel;
        if (parcel->deadline < courier->next_expiry)
            courier->next_expiry = parcel->deadline;
    }
    courier->handed = (struct parcels){0};
    (void)pthread_mutex_unlock(&courier->lock);
}

static bool is_stopping(struct courier *courier)
{
    (void)pthread_mutex_lock(&courier->lock);
    bool is_so = courier->is_stopping;
    (void)pthread_mutex_unlock(&courier->lock);
    return is_so;
}

static void turn_link(struct courier *courier, short events)
{
    struct link *link = courier->link;
    if (link->is_tls)
        atomic_store(&courier->busy_since, courier->host->now(courier->host));
    bool is_alive = link_turn(link, events, courier->reason, sizeof(courier->reason));
    if (link->is_tls)
        atomic_store(&courier->busy_since, 0);
    if (events & POLLIN)
        atomic_store_explicit(&courier->heard_at, courier->host->now(courier->host),
                              memory_order_relaxed);
    if (link->answers)
        delivery_take_answers(courier); /* of a lost one, too */
    if (!is_alive)
        courier->has_lost = true;
}

static int patience(struct courier *courier)
{
    if (!courier->parcels.first && !courier->attempt)
        return -1;
    int64_t left = courier->next_expiry - courier->host->now(courier->host);
    int64_t longest = courier->attempt || courier->unheard > 0 ? SECOND / 4 : SECOND;
    left = left < 0 ? 0 : left < longest ? left : longest;
    return (int)((left + MILLISECOND - 1) / MILLISECOND);
}

/* Waits for something to do, and does what comes from outside. */
static void wait_and_turn(struct courier *courier)
{
    struct link *link = courier->link;
    struct pollfd fds[2] = {{.fd = courier->wake_fd, .events = POLLIN},
                            {.fd = link ? link->fd : -1, .events = POLLIN}};
    uint64_t count;
    if (link && atomic_load(&link->wants_write))
        fds[1].events |= POLLOUT;
    if (poll(fds, 2, patience(courier)) <= 0)
        return;
    if (fds[0].revents)
        (void)!read(courier->wake_fd, &count, sizeof(count));
    if (fds[1].revents)
        turn_link(courier, fds[1].revents);
    if (courier->link && fds[0].revents && !courier->has_lost) {
        delivery_take_denials(courier);
        if (!courier->settings->jetstream)
            delivery_take_proof(courier);
        if (link_refusal(courier->link, courier->reason, sizeof(courier->reason)))
            courier->has_lost = true;
    }
}

static void *work(void *argument)
{
    struct courier *courier = argument;
    library_block_signals();
    while (!is_stopping(courier)) {
        take_handed(courier);
        tend_connection(courier);
        delivery_take_cancels(courier);
        if (courier->link)
            delivery_send(courier);
        if (courier->has_lost)
            lose_link(courier);
        delivery_expire(courier);
        delivery_settle_unheard(courier);
        pulse_quicken(courier);
        wait_and_turn(courier);
        if (courier->has_lost && !is_stopping(courier)) /* which loses it on purpose */
            lose_link(courier);
    }
    take_handed(courier);
    if (courier->attempt)
        attempt_give_up(courier->attempt);
    if (courier->link)
        close_link(courier);
    delivery_give_up(courier, OUTBOX_UNKNOWN, "the relay ended before the server answered");
    return NULL;
}

/* ---- Start and stop ----------------------------------------------------------------------- */

static void clear(struct courier *courier)
{
    bytes_clear(&courier->composer.text);
    window_clear(&courier->window);
    (void)pthread_cond_destroy(&courier->changed);
    (void)pthread_mutex_destroy(&courier->lock);
    (void)close(courier->wake_fd);
}

static bool init(struct courier *courier)
{
    courier->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (courier->wake_fd < 0)
        return false;
    if (pthread_mutex_init(&courier->lock, NULL) == 0) {
        if (condition_init(&courier->changed)) {
            if (window_init(&courier->window, courier->settings->window))
                return true;
            (void)pthread_cond_destroy(&courier->changed);
        }
        (void)pthread_mutex_destroy(&courier->lock);
    }
    (void)close(courier->wake_fd);
    return false;
}

static void stop_thread(struct courier *courier)
{
    (void)pthread_mutex_lock(&courier->lock);
    courier->is_stopping = true;
    /* Whatever it waits for in the library, it shall not wait any longer. */
    if (courier->link)
        link_cut(courier->link);
    (void)pthread_cond_broadcast(&courier->changed);
    (void)pthread_mutex_unlock(&courier->lock);
    courier_wake(courier);
    (void)pthread_join(courier->thread, NULL);
}

bool courier_start(struct courier *courier, const struct outbox_host *host,
                   struct settings *settings)
{
    courier->host = host;
    courier->settings = settings;
    courier->composer.settings = settings;
    if (!init(courier))
        return false;
    if (pthread_create(&courier->thread, NULL, work, courier) == 0) {
        if (pthread_create(&courier->pulse, NULL, pulse_work, courier) == 0)
            return true;
        stop_thread(courier);
    }
    clear(courier);
    return false;
}

void courier_stop(struct courier *courier)
{
    stop_thread(courier);
    (void)pthread_join(courier->pulse, NULL);
    clear(courier);
}
