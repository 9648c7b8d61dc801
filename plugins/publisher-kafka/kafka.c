/*
 * kafka.c - a publisher that produces to Apache Kafka
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"
#include "message.h"

#include <outbox/plugin.h>
#include <stdlib.h>

/* ---- Opening and closing ------------------------------------------------------------------ */

static void clear_parts(struct outbox_publisher *publisher)
{
    seat_clear(&publisher->seat);
    flights_clear(&publisher->flights);
    trouble_clear(&publisher->trouble);
}

static bool init_parts(struct outbox_publisher *publisher, const struct outbox_host *host)
{
    if (!trouble_init(&publisher->trouble, host))
        return false;
    if (flights_init(&publisher->flights, host)) {
        if (seat_init(&publisher->seat, host, &publisher->settings))
            return true;
        flights_clear(&publisher->flights);
    }
    trouble_clear(&publisher->trouble);
    return false;
}

/* Called by threads of the library. It repeats itself while a broker is away, so what it says of
 * connections is for debugging; the driver itself logs what is lost or back. */
static void take_log(const rd_kafka_t *library, int level, const char *facility, const char *text)
{
    enum { SYSLOG_CRIT = 2 };
    const struct outbox_publisher *publisher = rd_kafka_opaque(library);
    bool is_warning = strcmp(facility, "FATAL") != 0 &&
                      (level <= SYSLOG_CRIT || strcmp(facility, "CONFWARN") == 0);
    outbox_log(publisher->host, is_warning ? OUTBOX_LOG_WARN : OUTBOX_LOG_DEBUG,
               "librdkafka: %s: %s", facility, text);
}

static enum outbox_status no_memory(struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the publisher: out of memory");
}

static enum outbox_status start(struct outbox_publisher *publisher,
                                const struct outbox_settings *settings, struct outbox_error *error)
{
    enum outbox_status status = settings_read(&publisher->settings, settings, error);
    if (status != OUTBOX_OK)
        return status;
    if (!init_parts(publisher, publisher->host))
        return no_memory(error);
    rd_kafka_conf_set_events(publisher->settings.conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    rd_kafka_conf_set_log_cb(publisher->settings.conf, take_log);
    status = reporter_start(publisher, error);
    if (status != OUTBOX_OK)
        clear_parts(publisher);
    return status;
}

static enum outbox_status kafka_open(const struct outbox_host *host,
                                     const struct outbox_settings *settings,
                                     struct outbox_publisher **publisher,
                                     struct outbox_error *error)
{
    struct outbox_publisher *made = calloc(1, sizeof(*made));
    if (!made)
        return no_memory(error);
    made->host = host;
    enum outbox_status status = start(made, settings, error);
    if (status == OUTBOX_OK) {
        *publisher = made;
        return OUTBOX_OK;
    }
    settings_clear(&made->settings);
    free(made);
    return status;
}

static void kafka_close(struct outbox_publisher *publisher)
{
    reporter_stop(publisher);
    clear_parts(publisher);
    settings_clear(&publisher->settings);
    free(publisher);
}

static void kafka_limits(struct outbox_publisher *publisher, struct outbox_publisher_limits *limits)
{
    limits->max_payload = publisher->settings.max_payload;
}

/* ---- Publishing --------------------------------------------------------------------------- */

/* Until reports have come, which make room, or the batch's deadline. */
static bool wait_for_room(struct outbox_publisher *publisher, int64_t deadline)
{
    const struct outbox_host *host = publisher->host;
    int64_t left = deadline - host->now(host), longest = NANOSECONDS / 10;
    if (left <= 0)
        return false;
    seat_wait(&publisher->seat, left < longest ? left : longest);
    return true;
}

static enum handover hand_over(struct outbox_publisher *publisher, struct client *client,
                               struct last_topic *last, struct flight *flight, uint64_t index,
                               struct refusal *refusal)
{
    const struct outbox_message *message = outbox_batch_at(flight->batch, index);
    for (;;) {
        enum handover result =
            message_hand_over(&client->topics, last, message, flight_handle(flight, index),
                              publisher->settings.rejects_missing, refusal);
        if (result != NO_ROOM ||
            atomic_load_explicit(&flight->is_cancelled, memory_order_acquire) ||
            !wait_for_room(publisher, flight->deadline))
            return result;
    }
}

/* What cannot be handed over any more is completed here. Nothing of the batch is touched once its
 * last message is handed over or completed. */
static void send_batch(struct outbox_publisher *publisher, struct client *client,
                       struct flight *flight)
{
    struct last_topic last = {0};
    struct refusal refusal;
    uint64_t count = flight->count, i = 0;
    const char *reason = NULL;
    uint32_t outcome = OUTBOX_AWAY;
    for (; i < count && !reason; i++) {
        if (atomic_load_explicit(&flight->is_cancelled, memory_order_acquire)) {
            outcome = OUTBOX_RETRY;
            reason = "given up before it was sent";
            break;
        }
        switch (hand_over(publisher, client, &last, flight, i, &refusal)) {
        case HANDED_OVER:
            continue;
        case REFUSED:
            flight_complete(flight, i, 1, refusal.outcome, refusal.reason);
            continue;
        case NO_ROOM:
            reason = "the queue of librdkafka was full until the deadline";
            break;
        case CLIENT_LOST:
            atomic_store(&publisher->is_client_lost, true);
            seat_wake(&publisher->seat);
            reason = refusal.reason;
            break;
        }
        break;
    }
    if (i < count)
        flight_complete(flight, i, count - i, outcome, reason);
}

static enum outbox_status kafka_publish(struct outbox_publisher *publisher,
                                        const struct outbox_batch *batch,
                                        struct outbox_error *error)
{
    struct client *client = seat_take(&publisher->seat, batch->deadline);
    if (!client)
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "",
                           "send to Kafka: the producer was not replaced until the deadline");
    struct flight *flight = flight_new(&publisher->flights, batch);
    if (flight) {
        send_batch(publisher, client, flight);
        flight_let_go(flight);
    }
    seat_give_back(&publisher->seat);
    return flight ? OUTBOX_OK
                  : outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "send to Kafka: out of memory");
}

static enum outbox_status kafka_flush(struct outbox_publisher *publisher, int64_t deadline,
                                      struct outbox_error *error)
{
    const struct outbox_host *host = publisher->host;
    struct client *client = seat_take(&publisher->seat, deadline);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (client) {
        int64_t left = deadline - host->now(host);
        code = rd_kafka_flush(client->library, left > 0 ? (int)(left / MILLISECOND) : 0);
        seat_give_back(&publisher->seat);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_TIMEOUT, rd_kafka_err2name(code),
                       "send to Kafka: some events are not acknowledged yet");
}

/* Keeps publish() from handing over more of the batch. What the library has is left to its report:
 * it holds on to the memory until then, and can only purge everything at once. */
static void kafka_cancel(struct outbox_publisher *publisher, const struct outbox_batch *batch)
{
    flights_cancel(&publisher->flights, batch);
}

/* ---- What the relay sees ------------------------------------------------------------------ */

static const struct outbox_option options[] = {
    {.name = "brokers",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_REQUIRED,
     .help = "Brokers to begin with, as host:port, separated by commas."},
    {.name = "client_id",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "outbox-relay",
     .help = "Name of this client in the brokers' logs and quotas."},
    {.name = "compression",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "none",
     .choices = KAFKA_COMPRESSIONS,
     .help = "How requests are compressed."},
    {.name = "linger",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "5ms",
     .minimum = 0,
     .maximum = 1e9,
     .help = "How long a message may wait for others to go with it."},
    {.name = "delivery_timeout",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "10s",
     .minimum = 2e9,
     .maximum = 300e9,
     .help =
         "How long a message may wait for its acknowledgement; then its broker counts as away."},
    {.name = "connect_timeout",
     .type = OUTBOX_OPTION_DURATION,
     .default_value = "5s",
     .minimum = 1e9,
     .maximum = 300e9,
     .help = "How long making a connection may take, TLS and authentication included."},
    {.name = "security",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "plaintext",
     .choices = KAFKA_SECURITIES,
     .help = "Whether connections are encrypted (tls) and authenticated (sasl)."},
    {.name = "sasl_mechanism",
     .type = OUTBOX_OPTION_CHOICE,
     .choices = KAFKA_MECHANISMS,
     .help = "How the relay authenticates; needed with sasl."},
    {.name = "username",
     .type = OUTBOX_OPTION_TEXT,
     .help = "User of SASL; of OAUTHBEARER the client's id."},
    {.name = "password",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "Its password; of OAUTHBEARER the client's secret."},
    {.name = "tls_ca",
     .type = OUTBOX_OPTION_TEXT,
     .help = "PEM file of the authorities that are trusted; the system's if not set."},
    {.name = "tls_certificate",
     .type = OUTBOX_OPTION_TEXT,
     .help = "PEM file of the relay's own certificate."},
    {.name = "tls_key",
     .type = OUTBOX_OPTION_TEXT,
     .help = "PEM file of the key of tls_certificate."},
    {.name = "tls_key_password",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "Password of tls_key."},
    {.name = "on_missing_topic",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "retry",
     .choices = "retry|reject",
     .help = "What happens to an event whose topic or partition is not there."},
    {.name = "properties",
     .type = OUTBOX_OPTION_MAP,
     .flags = OUTBOX_OPTION_SECRET,
     .help = "Properties of librdkafka, as its CONFIGURATION.md lists them."},
};

static const struct outbox_option properties[] = {
    {.name = PROPERTY_PARTITION, .help = "Number of the partition, instead of one by the key."},
    {.name = PROPERTY_TIMESTAMP,
     .help =
         "Time of the record, instead of when it is sent: milliseconds since 1970-01-01 UTC, or "
         "as {created_at} is."},
};

static const struct outbox_publisher_ops ops = {
    OUTBOX_OPS(outbox_publisher_ops), .open = kafka_open,       .close = kafka_close,
    .limits = kafka_limits,           .publish = kafka_publish, .flush = kafka_flush,
    .cancel = kafka_cancel,           .ping = kafka_ping,       .check = kafka_check,
};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "kafka", .version = DRIVER_VERSION,
              .description = "Produces events to Apache Kafka",
              .capabilities = OUTBOX_PUBLISHER_KEEPS_ORDER | OUTBOX_PUBLISHER_ATTRIBUTES,
              .publisher = &ops, OUTBOX_OPTIONS(options), OUTBOX_PROPERTIES(properties),
              .key_attribute = "messaging.kafka.message.key");
