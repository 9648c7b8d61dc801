/*
 * rabbitmq.c - a publisher that sends events to RabbitMQ (AMQP 0-9-1)
 * SPDX-License-Identifier: MIT
 */
#include "check.h"
#include "link.h"
#include "settings.h"

#include <outbox/plugin.h>
#include <stdlib.h>

struct outbox_publisher {
    const struct outbox_host *host;
    struct settings settings;
    atomic_uint_fast64_t turn; /* spreads batches without a key */
    uint64_t link_count;
    struct link links[MAX_CONNECTIONS];
};

/* ---- Opening and closing ------------------------------------------------------------------ */

static void stop_links(struct outbox_publisher *publisher)
{
    for (uint64_t i = 0; i < publisher->link_count; i++)
        link_stop(&publisher->links[i]);
    for (uint64_t i = 0; i < publisher->link_count; i++)
        link_join(&publisher->links[i]);
}

static void rabbitmq_close(struct outbox_publisher *publisher)
{
    stop_links(publisher);
    settings_clear(&publisher->settings);
    free(publisher);
}

static enum outbox_status rabbitmq_open(const struct outbox_host *host,
                                        const struct outbox_settings *given,
                                        struct outbox_publisher **publisher,
                                        struct outbox_error *error)
{
    struct outbox_publisher *made = calloc(1, sizeof(*made));
    if (!made)
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "open the publisher: out of memory");
    made->host = host;
    enum outbox_status status = settings_read(&made->settings, given, error);
    while (status == OUTBOX_OK && made->link_count < made->settings.connections) {
        if (link_start(&made->links[made->link_count], host, &made->settings))
            made->link_count++;
        else
            status = outbox_fail(error, OUTBOX_INTERNAL, "",
                                 "open the publisher: no memory or no thread for a connection");
    }
    if (status == OUTBOX_OK)
        *publisher = made;
    else
        rabbitmq_close(made);
    return status;
}

static void rabbitmq_limits(struct outbox_publisher *publisher,
                            struct outbox_publisher_limits *limits)
{
    const struct settings *settings = &publisher->settings;
    limits->max_payload = settings->max_message_size;
    /* A window on its way and one that waits: more would only hold memory. */
    limits->max_in_flight = 2 * settings->window * settings->connections;
}

/* ---- Publishing --------------------------------------------------------------------------- */

static uint64_t hash_of(struct outbox_slice key)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (uint64_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * UINT64_C(1099511628211);
    return hash ^ (hash >> 32);
}

/* Events of one key share a connection. */
static uint64_t link_of(const struct outbox_publisher *publisher,
                        const struct outbox_message *message, uint64_t turn)
{
    return (message->key.data ? hash_of(message->key) : turn) % publisher->link_count;
}

static void free_orders(struct order **orders)
{
    for (uint64_t i = 0; i < MAX_CONNECTIONS; i++)
        order_free(orders[i]);
}

/* How many runs each link gets. */
static void count_runs(const struct outbox_publisher *publisher, const struct outbox_batch *batch,
                       uint64_t turn, uint64_t counts[MAX_CONNECTIONS])
{
    uint64_t before = UINT64_MAX;
    for (uint64_t i = 0; i < batch->count; i++) {
        uint64_t at = link_of(publisher, outbox_batch_at(batch, i), turn);
        counts[at] += at != before;
        before = at;
    }
}

static void fill_runs(const struct outbox_publisher *publisher, const struct outbox_batch *batch,
                      uint64_t turn, struct order **orders)
{
    uint64_t used[MAX_CONNECTIONS] = {0}, before = UINT64_MAX;
    for (uint64_t i = 0; i < batch->count; i++) {
        uint64_t at = link_of(publisher, outbox_batch_at(batch, i), turn);
        if (at != before)
            orders[at]->runs[used[at]++] = (struct run){i, 0};
        orders[at]->runs[used[at] - 1].count++;
        before = at;
    }
}

static bool make_orders(struct outbox_publisher *publisher, const struct outbox_batch *batch,
                        struct order **orders)
{
    uint64_t counts[MAX_CONNECTIONS] = {0};
    uint64_t turn = atomic_fetch_add(&publisher->turn, 1);
    if (publisher->link_count == 1) {
        orders[0] = order_new(batch, 1);
        if (orders[0])
            orders[0]->runs[0] = (struct run){0, batch->count};
        return orders[0] != NULL;
    }
    count_runs(publisher, batch, turn, counts);
    for (uint64_t i = 0; i < publisher->link_count; i++) {
        orders[i] = counts[i] > 0 ? order_new(batch, counts[i]) : NULL;
        if (counts[i] > 0 && !orders[i])
            return false;
    }
    fill_runs(publisher, batch, turn, orders);
    return true;
}

static enum outbox_status rabbitmq_publish(struct outbox_publisher *publisher,
                                           const struct outbox_batch *batch,
                                           struct outbox_error *error)
{
    struct order *orders[MAX_CONNECTIONS] = {NULL};
    if (!make_orders(publisher, batch, orders)) {
        free_orders(orders);
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "publish %llu events: out of memory",
                           (unsigned long long)batch->count);
    }
    for (uint64_t i = 0; i < publisher->link_count; i++) {
        if (orders[i])
            link_push(&publisher->links[i], orders[i]);
    }
    return OUTBOX_OK;
}

static void rabbitmq_cancel(struct outbox_publisher *publisher, const struct outbox_batch *batch)
{
    for (uint64_t i = 0; i < publisher->link_count; i++)
        link_cancel(&publisher->links[i], batch);
}

/* ---- Looking ------------------------------------------------------------------------------ */

/* All connections are wanted, as events go to each. */
static enum outbox_status rabbitmq_ping(struct outbox_publisher *publisher, int64_t deadline,
                                        struct outbox_error *error)
{
    const struct question question = {.kind = QUESTION_PING};
    struct answer answer;
    for (uint64_t i = 0; i < publisher->link_count; i++) {
        link_ask(&publisher->links[i], &question, deadline, &answer);
        if (answer.status != OUTBOX_OK)
            return outbox_fail(error, answer.status, "", "%s", answer.text);
    }
    return OUTBOX_OK;
}

static enum outbox_status rabbitmq_check(struct outbox_publisher *publisher,
                                         const struct outbox_publisher_check *check,
                                         int64_t deadline, outbox_check_line *line, void *context,
                                         struct outbox_error *error)
{
    return check_run(&publisher->links[0], check, deadline, line, context, error);
}

/* ---- What the driver is ------------------------------------------------------------------- */

#define OPTION(option_name, option_type, option_default, text, ...)                                \
    {                                                                                              \
        .name = (option_name), .type = OUTBOX_OPTION_##option_type,                                \
        .default_value = (option_default), .help = (text), ##__VA_ARGS__                           \
    }

static const struct outbox_option options[] = {
    OPTION("url", TEXT, NULL,
           "amqp://user:password@host:port/vhost, amqps:// for TLS; several hosts, with commas "
           "between, are tried in turn.",
           .flags = OUTBOX_OPTION_REQUIRED | OUTBOX_OPTION_SECRET),
    OPTION("username", TEXT, NULL, "Instead of the one in the URL; guest if there is none."),
    OPTION("password", TEXT, NULL, "Instead of the one in the URL; guest if there is none.",
           .flags = OUTBOX_OPTION_SECRET),
    OPTION("vhost", TEXT, NULL, "Instead of the one in the URL; / if there is none."),
    OPTION("exchange", TEXT, "",
           "Where events go unless their property exchange says otherwise; empty: the default "
           "exchange, which routes to the queue that has the routing key as its name."),
    OPTION("key_header", TEXT, "event-key",
           "The header in which an event's key travels; empty: in none."),
    OPTION("connections", INTEGER, "1", "Connections; events of one key share one.", .minimum = 1,
           .maximum = MAX_CONNECTIONS),
    OPTION("window", INTEGER, "2000", "Unconfirmed messages on one connection.", .minimum = 1,
           .maximum = 100000),
    OPTION("on_unroutable", CHOICE, "retry",
           "What becomes of an event that the exchange routes to no queue.",
           .choices = "retry|reject"),
    OPTION("on_missing_exchange", CHOICE, "retry",
           "What becomes of an event whose exchange does not exist.", .choices = "retry|reject"),
    OPTION("on_nack", CHOICE, "away",
           "What a refused message (a full queue) means: away pauses the pipeline and charges "
           "nothing, retry charges the event.",
           .choices = "away|retry"),
    OPTION("max_message_size", SIZE, "128MiB",
           "The broker's own max_message_size; larger events are dead at once.", .minimum = 1,
           .maximum = 536870912),
    OPTION("heartbeat", DURATION, "5s",
           "After twice this time without a byte from the broker the connection is given up.",
           .minimum = 1e9, .maximum = 60e9),
    OPTION("connect_timeout", DURATION, "5s", "For connecting and logging in to one host.",
           .minimum = 1e8, .maximum = 60e9),
    OPTION("tls_ca", TEXT, NULL,
           "PEM file of those who may sign the broker's certificate; the "
           "system's if not given."),
    OPTION("tls_certificate", TEXT, NULL, "PEM file of the certificate to show to the broker."),
    OPTION("tls_key", TEXT, NULL, "PEM file of its key."),
};

static const struct outbox_publisher_ops ops = {
    OUTBOX_OPS(outbox_publisher_ops),
    .open = rabbitmq_open,
    .close = rabbitmq_close,
    .limits = rabbitmq_limits,
    .publish = rabbitmq_publish,
    .cancel = rabbitmq_cancel,
    .ping = rabbitmq_ping,
    .check = rabbitmq_check,
};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "rabbitmq", .version = DRIVER_VERSION,
              .description = "Sends events to RabbitMQ, with publisher confirms",
              .capabilities = OUTBOX_PUBLISHER_ATTRIBUTES, .publisher = &ops,
              OUTBOX_OPTIONS(options), OUTBOX_PROPERTIES(parcel_properties),
              .topic_attribute = "messaging.rabbitmq.destination.routing_key");
