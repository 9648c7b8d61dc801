/*
 * floor_rabbitmq.c - the bare producer for RabbitMQ: persistent, mandatory, confirmed in a window
 * SPDX-License-Identifier: MIT
 *
 * rabbitmq-c alone, one connection, one thread, no database. A message counts once the broker has
 * confirmed it.
 */
#include "floor_common.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#endif

enum { CHANNEL = 1, FRAME_MAX = 131072 };

struct producer {
    const char *url, *exchange, *key;
    uint64_t events, payload, window;
    amqp_connection_state_t connection;
    uint64_t sent, confirmed; /* messages */
    uint64_t prefix;          /* all tags up to here are confirmed */
    bool *is_confirmed;       /* by tag: the broker confirms in any order */
};

static const char usage[] =
    "usage: %s --url URL [--exchange NAME] --queue ROUTING-KEY [--events N] [--payload BYTES]\n"
    "          [--window N]\n"
    "Publishes persistent messages and prints how long it took until all were confirmed.\n";

static bool parse_number(const char *text, uint64_t *number)
{
    char *end = NULL;
    *number = strtoull(text, &end, 10);
    return end != text && *end == '\0' && *number > 0;
}

static bool parse(int argc, char **argv, struct producer *producer)
{
    static const struct option names[] = {
        {"url", required_argument, NULL, 'u'},
        {"exchange", required_argument, NULL, 'x'},
        {"queue", required_argument, NULL, 'q'},
        {"events", required_argument, NULL, 'e'},
        {"payload", required_argument, NULL, 'p'},
        {"window", required_argument, NULL, 'w'},
        {NULL, 0, NULL, 0},
    };
    bool is_good = true;
    for (int letter; is_good && (letter = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (letter == 'u')
            producer->url = optarg;
        else if (letter == 'x')
            producer->exchange = optarg;
        else if (letter == 'q')
            producer->key = optarg;
        else if (letter == 'e')
            is_good = parse_number(optarg, &producer->events);
        else if (letter == 'p')
            is_good = parse_number(optarg, &producer->payload);
        else if (letter == 'w')
            is_good = parse_number(optarg, &producer->window);
        else
            is_good = false;
    }
    return is_good && producer->url && producer->key && optind == argc;
}

static bool complain(const char *doing, const char *reason)
{
    fprintf(stderr, "floor_rabbitmq: %s: %s\n", doing, reason);
    return false;
}

static bool is_good(amqp_rpc_reply_t reply, const char *doing)
{
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    return complain(doing, reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
                               ? amqp_error_string2(reply.library_error)
                               : "the broker refuses");
}

static bool open_connection(struct producer *producer)
{
    struct amqp_connection_info info;
    char *url = strdup(producer->url);
    if (!url || amqp_parse_url(url, &info) != AMQP_STATUS_OK) {
        free(url);
        return complain("read the URL", "it is no AMQP URL");
    }
    producer->connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(producer->connection);
    bool is_open = socket && amqp_socket_open(socket, info.host, info.port) == AMQP_STATUS_OK;
    if (!is_open)
        (void)complain("connect", "no connection");
    is_open = is_open &&
              is_good(amqp_login(producer->connection, info.vhost[0] ? info.vhost : "/", 0,
                                 FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN, info.user, info.password),
                      "log in");
    free(url);
    if (!is_open)
        return false;
    (void)amqp_channel_open(producer->connection, CHANNEL);
    if (!is_good(amqp_get_rpc_reply(producer->connection), "open a channel"))
        return false;
    (void)amqp_confirm_select(producer->connection, CHANNEL);
    return is_good(amqp_get_rpc_reply(producer->connection), "ask for confirms");
}

static void count_one(struct producer *producer, uint64_t tag)
{
    producer->confirmed += !producer->is_confirmed[tag];
    producer->is_confirmed[tag] = true;
}

static void count(struct producer *producer, const amqp_basic_ack_t *ack)
{
    if (ack->delivery_tag > producer->sent)
        return;
    if (!ack->multiple)
        count_one(producer, ack->delivery_tag);
    while (ack->multiple && producer->prefix < ack->delivery_tag)
        count_one(producer, ++producer->prefix);
}

static bool read_confirm(struct producer *producer)
{
    amqp_frame_t frame;
    amqp_maybe_release_buffers(producer->connection);
    int status = amqp_simple_wait_frame(producer->connection, &frame);
    if (status != AMQP_STATUS_OK)
        return complain("wait for a confirm", amqp_error_string2(status));
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
        return complain("wait for a confirm", "the broker sent something else");
    count(producer, frame.payload.method.decoded);
    return true;
}

static amqp_table_entry_t header(const char *name, const char *value)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(name)};
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(value);
    return entry;
}

/* With what the relay gives each message, as the broker pays for that, too. */
static bool publish(struct producer *producer, amqp_bytes_t body)
{
    char id[48];
    (void)snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012" PRIu64, producer->sent);
    amqp_table_entry_t headers[] = {header("event-id", id), header("event-type", "bench.event")};
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                  AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_HEADERS_FLAG,
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .message_id = amqp_cstring_bytes(id),
        .type = amqp_cstring_bytes("bench.event"),
        .timestamp = 1700000000,
        .headers = {2, headers}};
    int status =
        amqp_basic_publish(producer->connection, CHANNEL, amqp_cstring_bytes(producer->exchange),
                           amqp_cstring_bytes(producer->key), 1, 0, &properties, body);
    producer->sent++;
    return status == AMQP_STATUS_OK || complain("publish", amqp_error_string2(status));
}

static bool produce(struct producer *producer)
{
    char *payload = malloc(producer->payload);
    producer->is_confirmed = calloc(producer->events + 1, sizeof(bool));
    bool is_going = payload && producer->is_confirmed;
    if (is_going)
        memset(payload, 'x', producer->payload);
    else
        (void)complain("produce", "out of memory");
    while (is_going && producer->confirmed < producer->events) {
        uint64_t open = producer->sent - producer->confirmed;
        if (producer->sent < producer->events && open < producer->window)
            is_going = publish(producer, (amqp_bytes_t){producer->payload, payload});
        else
            is_going = read_confirm(producer);
    }
    free(payload);
    free(producer->is_confirmed);
    return is_going;
}

int main(int argc, char **argv)
{
    struct producer producer = {.exchange = "", .events = 100000, .payload = 512, .window = 2000};
    if (!parse(argc, argv, &producer)) {
        fprintf(stderr, usage, argv[0]);
        return 2;
    }
    bool is_done = open_connection(&producer);
    int64_t started = floor_now();
    is_done = is_done && produce(&producer);
    int64_t finished = floor_now();
    if (is_done) {
        (void)amqp_connection_close(producer.connection, AMQP_REPLY_SUCCESS);
        printf("{\"events\": %" PRIu64 ", \"payload\": %" PRIu64 ", \"window\": %" PRIu64
               ", \"seconds\": %.6f}\n",
               producer.events, producer.payload, producer.window,
               (double)(finished - started) / 1e9);
    }
    (void)amqp_destroy_connection(producer.connection);
    return is_done ? EXIT_SUCCESS : EXIT_FAILURE;
}
