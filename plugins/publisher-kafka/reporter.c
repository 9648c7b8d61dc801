/*
 * reporter.c - takes delivery reports, keeps deadlines and replaces the client
 * SPDX-License-Identifier: MIT
 *
 * One thread of the driver. Nobody else takes reports, and nobody else changes the client.
 */
#include "driver.h"
#include "verdict.h"

#define LONGEST_WAIT (NANOSECONDS)      /* of an idle publisher */
#define WATCHFUL_WAIT (NANOSECONDS / 5) /* while messages are out */
/* What was purged comes back as reports; those it missed are purged again. */
#define PURGE_PAUSE (NANOSECONDS / 10)
/* How long all brokers may be gone before their messages are given back: a broker that restarts may
 * be back by then, one that refuses credentials or certificates will not think better of it. */
#define GONE_FOR (5 * NANOSECONDS)
#define REFUSED_FOR (NANOSECONDS)
/* A client that fails at once is not replaced more often. */
#define LOSS_PAUSE (NANOSECONDS)
#define DRAIN_TIME (2 * NANOSECONDS)
/* The library keeps each topic that it was asked for: so many, and a new client begins afresh. */
#define MOST_TOPICS 5000

enum renewal { RENEW_NOT, RENEW_SOON, RENEW_NOW };

struct reporter {
    struct outbox_publisher *publisher;
    struct client *client;
    struct packing packing;
    enum renewal renewal;
    int64_t lost_after;       /* a fatal error counts from then on */
    rd_kafka_resp_err_t loss; /* the last fatal error since an acknowledgement */
    int64_t waiting_since;    /* the last acknowledgement, or when there was one to wait for */
    int64_t purge_after;
    rd_kafka_resp_err_t refused; /* of the report at hand: what several events were refused with */
    char purge_reason[192];
};

/* Neighbours in a batch with one outcome. */
struct run {
    struct flight *flight;
    uint64_t first, count;
    rd_kafka_resp_err_t code;
    rd_kafka_msg_status_t status;
    const rd_kafka_message_t *message; /* one of them, for its topic */
};

static int64_t now_of(const struct reporter *reporter)
{
    const struct outbox_host *host = reporter->publisher->host;
    return host->now(host);
}

/* ---- Reports ------------------------------------------------------------------------------ */

static bool is_purged(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

static bool is_about_size(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

static void tell_packing(const struct reporter *reporter)
{
    const struct packing *packing = &reporter->packing;
    const struct outbox_host *host = reporter->publisher->host;
    if (packing->is_single)
        outbox_log(host, OUTBOX_LOG_INFO, "requests have one event each for a while");
    else
        outbox_log(host, OUTBOX_LOG_INFO, "requests have at most %lld bytes of events from now on",
                   (long long)packing->batch_bytes);
}

/* The broker has refused a request for what may be the fault of one message: they go again in
 * smaller requests, down to single ones, of which the guilty are then known. */
static void be_careful(struct reporter *reporter, uint64_t bytes)
{
    bool is_size = is_about_size(reporter->refused);
    reporter->refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    reporter->renewal = RENEW_NOW;
    if (packing_shrink(&reporter->packing, is_size, bytes, now_of(reporter)))
        tell_packing(reporter);
}

static void fail_run(struct reporter *reporter, const struct run *run, bool is_alone)
{
    struct outbox_publisher *publisher = reporter->publisher;
    char text[512];
    bool may_be_there = run->status != RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    struct verdict verdict =
        verdict_of(run->code, may_be_there, publisher->settings.rejects_missing);
    if (is_purged(run->code)) {
        verdict.outcome = atomic_load(&publisher->is_closing) ? OUTBOX_UNKNOWN : OUTBOX_AWAY;
        (void)snprintf(text, sizeof(text), "%s", reporter->purge_reason);
    } else if (verdict.is_contagious && !is_alone) {
        reporter->refused = run->code;
        verdict.outcome = OUTBOX_AWAY;
        (void)snprintf(text, sizeof(text),
                       "topic %s: the broker refused several events together (%s): they go again "
                       "in smaller requests",
                       rd_kafka_topic_name(run->message->rkt), rd_kafka_err2name(run->code));
    } else {
        if (is_about_size(run->code))
            packing_blame(&reporter->packing);
        verdict_text(&verdict, run->code, rd_kafka_topic_name(run->message->rkt), text,
                     sizeof(text));
    }
    if (verdict.outcome == OUTBOX_AWAY && !verdict.is_contagious)
        trouble_append(&publisher->trouble, text, sizeof(text));
    if (run->code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
        trouble_down(&publisher->trouble);
    flight_complete(run->flight, run->first, run->count, verdict.outcome, text);
}

static void end_run(struct reporter *reporter, const struct run *run, bool is_alone)
{
    if (run->count == 0)
        return;
    if (run->code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail_run(reporter, run, is_alone);
        return;
    }
    flight_complete(run->flight, run->first, run->count, OUTBOX_ACKED, NULL);
}

/* The messages of a report came in one request, unless it was their client that gave them up. */
static void take_reports(struct reporter *reporter, rd_kafka_event_t *event)
{
    struct run run = {0};
    const rd_kafka_message_t *message;
    bool is_alone = rd_kafka_event_message_count(event) == 1, is_acked = false;
    uint64_t bytes = 0;
    while ((message = rd_kafka_event_message_next(event))) {
        uint64_t index;
        struct flight *flight = flight_of(message->_private, &index);
        rd_kafka_msg_status_t status = rd_kafka_message_status(message);
        bytes += message->len;
        if (run.flight == flight && run.first + run.count == index && run.code == message->err &&
            run.status == status) {
            run.count++;
            continue;
        }
        end_run(reporter, &run, is_alone);
        run = (struct run){flight, index, 1, message->err, status, message};
        is_acked = is_acked || message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    end_run(reporter, &run, is_alone);
    if (reporter->refused != RD_KAFKA_RESP_ERR_NO_ERROR)
        be_careful(reporter, bytes);
    if (!is_acked)
        return;
    reporter->waiting_since = now_of(reporter);
    reporter->loss = RD_KAFKA_RESP_ERR_NO_ERROR;
    trouble_over(&reporter->publisher->trouble);
}

/* ---- Errors ------------------------------------------------------------------------------- */

/* The event of a fatal error bears its own code or that of what made it fatal. */
static void look_for_fatal(struct reporter *reporter)
{
    char why[256];
    struct outbox_publisher *publisher = reporter->publisher;
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(reporter->client->library, why, sizeof(why));
    int64_t now = now_of(reporter);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || reporter->renewal == RENEW_NOW)
        return;
    atomic_store(&publisher->is_client_lost, true);
    if (now < reporter->lost_after)
        return;
    reporter->lost_after = now + LOSS_PAUSE;
    outbox_log(publisher->host, code == reporter->loss ? OUTBOX_LOG_DEBUG : OUTBOX_LOG_WARN,
               "the producer cannot go on, another one takes its place: %s (%s)", why,
               rd_kafka_err2name(code));
    trouble_note(&publisher->trouble, code, why);
    verdict_text_of_loss(code, reporter->purge_reason, sizeof(reporter->purge_reason));
    reporter->loss = code;
    reporter->renewal = RENEW_NOW;
}

static void take_error(struct reporter *reporter, rd_kafka_event_t *event)
{
    struct outbox_publisher *publisher = reporter->publisher;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    trouble_note(&publisher->trouble, code, rd_kafka_event_error_string(event));
    look_for_fatal(reporter);
}

static void take_event(struct reporter *reporter, rd_kafka_event_t *event)
{
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR)
        take_reports(reporter, event);
    else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
        take_error(reporter, event);
    rd_kafka_event_destroy(event);
}

/* ---- Giving up ---------------------------------------------------------------------------- */

/* Reports on all messages come at once, those that were on the wire included. */
static void purge(struct reporter *reporter, const char *reason)
{
    if (reason)
        (void)snprintf(reporter->purge_reason, sizeof(reporter->purge_reason), "%s", reason);
    (void)rd_kafka_purge(reporter->client->library, RD_KAFKA_PURGE_F_QUEUE |
                                                        RD_KAFKA_PURGE_F_INFLIGHT |
                                                        RD_KAFKA_PURGE_F_NON_BLOCKING);
    reporter->purge_after = now_of(reporter) + PURGE_PAUSE;
}

/* Whether every broker is gone, and has been for as long as somebody waits for one. */
static bool is_deserted(struct reporter *reporter, int64_t now, bool is_waiting)
{
    if (!is_waiting)
        reporter->waiting_since = 0;
    else if (reporter->waiting_since == 0)
        reporter->waiting_since = now;
    struct trouble *trouble = &reporter->publisher->trouble;
    int64_t gone_since = trouble_gone_since(trouble);
    int64_t since = gone_since > reporter->waiting_since ? gone_since : reporter->waiting_since;
    int64_t patience = trouble_is_refusal(trouble, gone_since) ? REFUSED_FOR : GONE_FOR;
    return is_waiting && gone_since > 0 && now >= since + patience;
}

/* Before a message's own time is up (delivery_timeout), which the library keeps. */
static void give_up_overdue(struct reporter *reporter)
{
    struct outbox_publisher *publisher = reporter->publisher;
    int64_t now = now_of(reporter), deadline = flights_deadline(&publisher->flights);
    bool is_gone = is_deserted(reporter, now, deadline != INT64_MAX);
    if (now < reporter->purge_after)
        return;
    if (now >= deadline)
        purge(reporter, "no acknowledgement within publish.timeout");
    else if (is_gone)
        purge(reporter, "no broker can be reached");
    else
        return;
    trouble_down(&publisher->trouble);
}

/* ---- Replacing the client ----------------------------------------------------------------- */

/* Takes reports until nobody uses the client and nothing is out, or the time is up. */
static void drain(struct reporter *reporter, bool is_purging, int64_t until)
{
    rd_kafka_queue_t *reports = reporter->client->reports;
    struct outbox_publisher *publisher = reporter->publisher;
    while (now_of(reporter) < until &&
           (seat_is_used(&publisher->seat) || flights_deadline(&publisher->flights) != INT64_MAX)) {
        if (is_purging && now_of(reporter) >= reporter->purge_after)
            purge(reporter, NULL);
        rd_kafka_event_t *event = rd_kafka_queue_poll(reports, 10);
        if (event)
            take_event(reporter, event);
        seat_tell(&publisher->seat);
    }
}

/* Everybody lets go of the client within the deadline of what he does. */
static void retire(struct reporter *reporter, bool is_purging)
{
    struct outbox_publisher *publisher = reporter->publisher;
    struct client *client = seat_empty(&publisher->seat);
    drain(reporter, is_purging, now_of(reporter) + DRAIN_TIME);
    while (seat_is_used(&publisher->seat))
        drain(reporter, true, now_of(reporter) + DRAIN_TIME);
    client_free(&client);
    reporter->client = NULL;
    flights_sweep(&publisher->flights,
                  atomic_load(&publisher->is_closing) ? OUTBOX_UNKNOWN : OUTBOX_AWAY,
                  reporter->purge_reason);
}

static bool take_seat(struct reporter *reporter)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    struct seat *seat = &reporter->publisher->seat;
    if (seat_fill(seat, &reporter->packing, reporter->publisher, &error) == OUTBOX_OK) {
        reporter->client = seat->client; /* changed by this thread alone */
        return true;
    }
    outbox_log(seat->host, OUTBOX_LOG_ERROR, "%s", error.text);
    return false;
}

static void renew(struct reporter *reporter)
{
    struct outbox_publisher *publisher = reporter->publisher;
    bool is_purging = reporter->renewal == RENEW_NOW;
    retire(reporter, is_purging);
    reporter->renewal = RENEW_NOT;
    reporter->waiting_since = 0;
    atomic_store(&publisher->is_client_lost, false);
}

static void consider_renewal(struct reporter *reporter)
{
    if (packing_relax(&reporter->packing, now_of(reporter))) {
        tell_packing(reporter);
        reporter->renewal = RENEW_SOON;
    }
    if (reporter->renewal == RENEW_NOT && topics_count(&reporter->client->topics) > MOST_TOPICS)
        reporter->renewal = RENEW_SOON;
    if (reporter->renewal != RENEW_NOT)
        renew(reporter);
}

/* ---- The thread --------------------------------------------------------------------------- */

static int wait_time(const struct reporter *reporter, int64_t deadline)
{
    int64_t now = now_of(reporter);
    int64_t wait = deadline == INT64_MAX ? LONGEST_WAIT : WATCHFUL_WAIT;
    if (deadline != INT64_MAX && deadline - now < wait)
        wait = deadline - now;
    if (reporter->purge_after - now > wait)
        wait = reporter->purge_after - now;
    return wait < MILLISECOND ? 1 : (int)(wait / MILLISECOND);
}

static void report(struct reporter *reporter)
{
    struct outbox_publisher *publisher = reporter->publisher;
    int64_t deadline = flights_deadline(&publisher->flights);
    rd_kafka_event_t *event =
        rd_kafka_queue_poll(reporter->client->reports, wait_time(reporter, deadline));
    if (event) {
        take_event(reporter, event);
        seat_tell(&publisher->seat);
    }
    if (atomic_load(&publisher->is_client_lost))
        look_for_fatal(reporter);
    give_up_overdue(reporter);
    consider_renewal(reporter);
}

static void *reporter_main(void *argument)
{
    struct outbox_publisher *publisher = argument;
    struct reporter reporter = {
        .publisher = publisher,
        .client = publisher->seat.client,
        .purge_reason = "the producer could not go on",
    };
    packing_init(&reporter.packing, publisher->settings.batch_bytes);
    while (!atomic_load(&publisher->is_closing)) {
        if (reporter.client || take_seat(&reporter))
            report(&reporter);
        else
            seat_wait(&publisher->seat, NANOSECONDS);
    }
    (void)snprintf(reporter.purge_reason, sizeof(reporter.purge_reason),
                   "the relay stopped before the broker answered");
    if (reporter.client)
        retire(&reporter, true);
    return NULL;
}

enum outbox_status reporter_start(struct outbox_publisher *publisher, struct outbox_error *error)
{
    struct packing packing;
    packing_init(&packing, publisher->settings.batch_bytes);
    enum outbox_status status = seat_fill(&publisher->seat, &packing, publisher, error);
    if (status != OUTBOX_OK)
        return status;
    int failed = pthread_create(&publisher->reporter, NULL, reporter_main, publisher);
    if (failed == 0)
        return OUTBOX_OK;
    struct client *client = seat_empty(&publisher->seat);
    client_free(&client);
    return outbox_fail(error, OUTBOX_INTERNAL, "", "start a thread: %s", strerror(failed));
}

void reporter_stop(struct outbox_publisher *publisher)
{
    atomic_store(&publisher->is_closing, true);
    seat_close(&publisher->seat);
    seat_wake(&publisher->seat);
    (void)pthread_join(publisher->reporter, NULL);
}
