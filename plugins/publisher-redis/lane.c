/*
 * lane.c - a thread that sends messages through connections of its own
 * SPDX-License-Identifier: MIT
 */
#include "lane.h"

#include "turn.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS INT64_C(1000000000)
#define LONGEST_WAIT (INT64_C(3600) * NANOSECONDS)

static void ring(int bell)
{
    const uint64_t one = 1;
    /* It fails only where it has rung far too often to be missed. */
    ssize_t written = write(bell, &one, sizeof(one));
    (void)written;
}

static void silence(int bell)
{
    uint64_t rung;
    ssize_t got = read(bell, &rung, sizeof(rung));
    (void)got;
}

/* ---- From other threads ------------------------------------------------------------------- */

void lane_put(struct lane *lane, struct parcel *parcel)
{
    (void)pthread_mutex_lock(&lane->mutex);
    queue_put(&lane->queue, parcel);
    lane->outstanding += parcel->count;
    bool is_asleep = lane->is_asleep;
    lane->is_asleep = false;
    (void)pthread_mutex_unlock(&lane->mutex);
    if (is_asleep)
        ring(lane->bell);
}

static void add_settled(struct lane *lane, uint64_t count)
{
    (void)pthread_mutex_lock(&lane->mutex);
    lane->outstanding -= count;
    if (lane->outstanding == 0)
        (void)pthread_cond_broadcast(&lane->emptied);
    (void)pthread_mutex_unlock(&lane->mutex);
}

/* Completes what is left in the parcels, and frees them. */
static void end_parcels(struct results *results, struct parcel *parcels,
                        enum outbox_outcome outcome, const char *reason)
{
    for (struct parcel *parcel = parcels; parcel; parcel = parcel->next) {
        const struct outbox_batch *batch = parcel->batch;
        uint64_t count = parcel->count;
        bool is_whole = count == batch->count;
        for (uint64_t i = parcel->position; i < count; i++)
            results_add(results, batch, is_whole ? i : parcel->indexes[i], outcome, reason);
    }
    results_report(results);
    parcels_free(parcels);
}

void lane_cancel(struct lane *lane, const struct outbox_batch *batch)
{
    struct results results = {.host = lane->remote->host};
    (void)pthread_mutex_lock(&lane->mutex);
    struct parcel *removed = queue_remove(&lane->queue, batch, INT64_MAX);
    (void)pthread_mutex_unlock(&lane->mutex);
    end_parcels(&results, removed, OUTBOX_RETRY, "given up before it was sent");
    if (results.reported > 0)
        add_settled(lane, results.reported);
}

bool lane_wait_empty(struct lane *lane, int64_t deadline)
{
    const struct outbox_host *host = lane->remote->host;
    (void)pthread_mutex_lock(&lane->mutex);
    while (lane->outstanding > 0) {
        int64_t left = deadline - host->now(host);
        if (left <= 0)
            break;
        condition_wait(&lane->emptied, &lane->mutex, left < LONGEST_WAIT ? left : LONGEST_WAIT);
    }
    bool is_empty = lane->outstanding == 0;
    (void)pthread_mutex_unlock(&lane->mutex);
    return is_empty;
}

/* ---- The thread --------------------------------------------------------------------------- */

void lane_send_again(struct lane *lane, struct queued message)
{
    if (lane->again_count == lane->again_capacity) {
        uint64_t capacity = lane->again_capacity ? 2 * lane->again_capacity : LANE_ROUND;
        struct queued *again = realloc(lane->again, capacity * sizeof(*again));
        if (!again) {
            results_add(&lane->results, message.batch, message.index, OUTBOX_RETRY,
                        "send it to another node: out of memory");
            return;
        }
        lane->again = again;
        lane->again_capacity = capacity;
    }
    lane->again[lane->again_count++] = message;
}

/* More is sent once the links have taken what they have, and while their windows have room. */
static uint64_t room(const struct lane *lane)
{
    uint64_t window = (uint64_t)lane->remote->settings->window, most = LANE_ROUND;
    for (unsigned i = 0; i < lane->link_count; i++) {
        const struct link *link = lane->links[i];
        if (!link || !link->is_open)
            continue;
        uint64_t count = flights_count(&link->flights);
        if (!outgoing_is_empty(&link->wire.out) || count >= window)
            return 0;
        if (window - count < most)
            most = window - count;
    }
    return most;
}

static void complete_all_away(struct lane *lane)
{
    struct outbox_error why = OUTBOX_ERROR_INIT;
    (void)pthread_mutex_lock(&lane->mutex);
    struct parcel *waiting = queue_remove(&lane->queue, NULL, INT64_MAX);
    (void)pthread_mutex_unlock(&lane->mutex);
    if (!waiting && lane->again_count == 0)
        return;
    /* Read after the queue was emptied: what a ping has let in since is not refused for long. */
    enum outbox_status status = away_report(lane->away, &why);
    (void)status;
    for (uint64_t i = 0; i < lane->again_count; i++)
        results_add(&lane->results, lane->again[i].batch, lane->again[i].index, OUTBOX_AWAY,
                    why.text);
    lane->again_count = 0;
    end_parcels(&lane->results, waiting, OUTBOX_AWAY, why.text);
}

/* Takes messages out of the queue and sends them. Returns whether more could be sent at once. */
static bool send_round(struct lane *lane, int64_t now)
{
    struct parcel *emptied = NULL;
    if (away_is(lane->away)) {
        complete_all_away(lane);
        return false;
    }
    uint64_t most = room(lane), again = lane->again_count;
    if (most == 0)
        return false;
    if (again > 0) {
        uint64_t count = again < LANE_ROUND ? again : LANE_ROUND;
        memcpy(lane->round, lane->again, count * sizeof(*lane->round));
        lane->again_count -= count;
        memmove(lane->again, lane->again + count, lane->again_count * sizeof(*lane->again));
        lane_send(lane, lane->round, count, now);
        return true;
    }
    (void)pthread_mutex_lock(&lane->mutex);
    uint64_t count = queue_take(&lane->queue, lane->round, most, &emptied);
    bool is_more = lane->queue.first != NULL;
    (void)pthread_mutex_unlock(&lane->mutex);
    parcels_free(emptied);
    if (count > 0)
        lane_send(lane, lane->round, count, now);
    return is_more && room(lane) > 0;
}

/* Those that waited too long to be sent. */
static void expire(struct lane *lane, int64_t now)
{
    (void)pthread_mutex_lock(&lane->mutex);
    struct parcel *late =
        queue_deadline(&lane->queue) <= now ? queue_remove(&lane->queue, NULL, now) : NULL;
    (void)pthread_mutex_unlock(&lane->mutex);
    end_parcels(&lane->results, late, OUTBOX_RETRY,
                "not sent before its deadline: Redis is too slow for what is to be sent");
}

/* Connections of a server that is away are made anew once it is back. */
static void close_idle(struct lane *lane)
{
    for (unsigned i = 0; i < lane->link_count; i++) {
        struct link *link = lane->links[i];
        if (link && link->is_open && flights_are_none(&link->flights))
            link_close(link);
    }
}

/* How long the thread may sleep, in nanoseconds of the host's clock. */
static int64_t next_event(struct lane *lane)
{
    int64_t at = INT64_MAX;
    for (unsigned i = 0; i < lane->link_count; i++) {
        const struct link *link = lane->links[i];
        if (!link || !link->is_open)
            continue;
        int64_t ends = link_patience_ends(link, lane->remote->settings->response_timeout);
        at = ends < at ? ends : at;
        at = link->next_deadline < at ? link->next_deadline : at;
    }
    int64_t waiting = queue_deadline(&lane->queue);
    return waiting < at ? waiting : at;
}

/* Whether there is something to send that could be sent now. Under the mutex. */
static bool has_work(const struct lane *lane)
{
    return (lane->queue.first || lane->again_count > 0) && (room(lane) > 0 || away_is(lane->away));
}

/* Waits until there is something to do, unless there is already. */
static void wait_for_events(struct lane *lane, bool is_busy)
{
    const struct outbox_host *host = lane->remote->host;
    nfds_t count = 1;
    int64_t left = 0;
    (void)pthread_mutex_lock(&lane->mutex);
    if (!is_busy && !lane->is_ending && !has_work(lane)) {
        lane->is_asleep = true;
        int64_t at = next_event(lane), now = host->now(host);
        left = at <= now ? 0 : at - now;
    }
    (void)pthread_mutex_unlock(&lane->mutex);
    if (left > LONGEST_WAIT)
        left = LONGEST_WAIT;

    lane->polled[0] = (struct pollfd){.fd = lane->bell, .events = POLLIN};
    for (unsigned i = 0; i < lane->link_count; i++) {
        const struct link *link = lane->links[i];
        if (link && link->is_open)
            lane->polled[count++] =
                (struct pollfd){.fd = link->wire.fd, .events = wire_events(&link->wire)};
    }
    struct timespec timeout = {(time_t)(left / NANOSECONDS), (long)(left % NANOSECONDS)};
    int ready = ppoll(lane->polled, count, &timeout, NULL);
    (void)pthread_mutex_lock(&lane->mutex);
    lane->is_asleep = false;
    (void)pthread_mutex_unlock(&lane->mutex);
    if (ready > 0 && lane->polled[0].revents)
        silence(lane->bell);
}

static void look_at_links(struct lane *lane)
{
    const struct outbox_host *host = lane->remote->host;
    for (unsigned i = 0; i < lane->link_count; i++) {
        struct link *link = lane->links[i];
        if (!link || !link->is_open)
            continue;
        int64_t now = host->now(host);
        lane_receive(lane, link, now);
        if (link->is_open)
            lane_judge(lane, link, now);
    }
}

static void report(struct lane *lane)
{
    results_report(&lane->results);
    uint64_t count = lane->results.reported - lane->settled;
    if (count > 0)
        add_settled(lane, count);
    lane->settled += count;
}

static bool set_time(struct lane *lane)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return entry_writer_set_time(&lane->writer, now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000);
}

bool lane_is_ending(struct lane *lane)
{
    (void)pthread_mutex_lock(&lane->mutex);
    bool ending = lane->is_ending;
    (void)pthread_mutex_unlock(&lane->mutex);
    return ending;
}

/* Completes all that is left. */
static void wind_up(struct lane *lane)
{
    static const char reason[] = "the publisher was closed before Redis answered";
    for (unsigned i = 0; i < lane->link_count; i++)
        if (lane->links[i] && lane->links[i]->is_open)
            lane_lose(lane, lane->links[i], OUTBOX_UNKNOWN, reason);
    for (uint64_t i = 0; i < lane->again_count; i++)
        results_add(&lane->results, lane->again[i].batch, lane->again[i].index, OUTBOX_UNKNOWN,
                    reason);
    (void)pthread_mutex_lock(&lane->mutex);
    struct parcel *waiting = queue_remove(&lane->queue, NULL, INT64_MAX);
    (void)pthread_mutex_unlock(&lane->mutex);
    end_parcels(&lane->results, waiting, OUTBOX_UNKNOWN, reason);
    report(lane);
}

static void *run(void *argument)
{
    struct lane *lane = argument;
    const struct outbox_host *host = lane->remote->host;
    sigset_t pipe_signal;
    /* OpenSSL writes without MSG_NOSIGNAL. */
    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    while (!lane_is_ending(lane)) {
        expire(lane, host->now(host));
        bool is_busy = set_time(lane) && send_round(lane, host->now(host));
        report(lane);
        wait_for_events(lane, is_busy);
        look_at_links(lane);
        if (away_is(lane->away))
            close_idle(lane);
        report(lane);
    }
    wind_up(lane);
    return NULL;
}

/* ---- Opening and closing ------------------------------------------------------------------ */

static void release(struct lane *lane)
{
    for (unsigned i = 0; i < lane->link_count; i++) {
        if (lane->links[i])
            link_close(lane->links[i]);
        free(lane->links[i]);
    }
    if (lane->bell >= 0)
        (void)close(lane->bell);
    if (lane->end_bell >= 0)
        (void)close(lane->end_bell);
    entry_writer_clear(&lane->writer);
    free(lane->again);
    free(lane);
}

static bool make(struct lane *lane)
{
    lane->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    lane->end_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lane->bell < 0 || lane->end_bell < 0 ||
        !entry_writer_init(&lane->writer, lane->remote->settings))
        return false;
    if (pthread_mutex_init(&lane->mutex, NULL) != 0)
        return false;
    if (condition_init(&lane->emptied)) {
        if (pthread_create(&lane->thread, NULL, run, lane) == 0)
            return true;
        (void)pthread_cond_destroy(&lane->emptied);
    }
    (void)pthread_mutex_destroy(&lane->mutex);
    return false;
}

enum outbox_status lane_open(struct lane **lane, struct remote *remote, struct away *away,
                             struct outbox_error *error)
{
    struct lane *made = calloc(1, sizeof(*made));
    *lane = NULL;
    if (!made)
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the publisher: out of memory");
    made->remote = remote;
    made->away = away;
    made->bell = made->end_bell = -1;
    made->results.host = remote->host;
    if (!make(made)) {
        release(made);
        return outbox_fail(error, OUTBOX_INTERNAL, "",
                           "open the publisher: memory, descriptors or threads are used up");
    }
    *lane = made;
    return OUTBOX_OK;
}

void lane_end(struct lane *lane)
{
    (void)pthread_mutex_lock(&lane->mutex);
    lane->is_ending = true;
    (void)pthread_mutex_unlock(&lane->mutex);
    ring(lane->end_bell);
    ring(lane->bell);
}

void lane_close(struct lane **lane)
{
    struct lane *gone = *lane;
    *lane = NULL;
    if (!gone)
        return;
    (void)pthread_join(gone->thread, NULL);
    (void)pthread_cond_destroy(&gone->emptied);
    (void)pthread_mutex_destroy(&gone->mutex);
    release(gone);
}
