/*
 * floor_kafka.c - the fastest bare loop that produces events to Kafka
 * SPDX-License-Identifier: MIT
 *
 * No database, no headers, no keys: librdkafka with the settings that the driver has by default
 * (idempotent, all in-sync replicas), as many messages on their way as a relay has, payloads not
 * copied. The time runs from the first message to the last acknowledgement.
 */
#include "floor_common.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT "10000"

static const char usage[] =
    "usage: %s --brokers HOST:PORT,... --topic NAME --events N --payload SIZE [--linger MS]\n"
    "Produces N messages of SIZE bytes and prints how long it took until all were acknowledged.\n";

struct options {
    const char *brokers, *topic, *linger;
    uint64_t events, payload;
};

struct tally {
    uint64_t acked, failed;
};

static bool parse_number(const char *text, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return !errno && end != text && !*end && *number > 0;
}

static bool parse_option(int letter, const char *text, struct options *options)
{
    switch (letter) {
    case 'b':
        options->brokers = text;
        return true;
    case 't':
        options->topic = text;
        return true;
    case 'l':
        options->linger = text;
        return true;
    case 'e':
        return parse_number(text, &options->events);
    case 'p':
        return parse_number(text, &options->payload);
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"brokers", required_argument, NULL, 'b'}, {"topic", required_argument, NULL, 't'},
        {"events", required_argument, NULL, 'e'},  {"payload", required_argument, NULL, 'p'},
        {"linger", required_argument, NULL, 'l'},  {NULL, 0, NULL, 0},
    };
    *options = (struct options){.linger = "5"};
    for (int letter; (letter = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (!parse_option(letter, optarg, options))
            return false;
    }
    return options->brokers && options->topic && options->events && options->payload &&
           optind == argc;
}

static void take_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *context)
{
    struct tally *tally = context;
    (void)client;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        tally->acked++;
    else
        tally->failed++;
}

static rd_kafka_t *connect_client(const struct options *options, struct tally *tally)
{
    const char *const settings[][2] = {
        {"bootstrap.servers", options->brokers},
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"linger.ms", options->linger},
        {"socket.nagle.disable", "true"},
        {"queue.buffering.max.messages", IN_FLIGHT},
    };
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why) !=
            RD_KAFKA_CONF_OK) {
            fprintf(stderr, "floor_kafka: %s\n", why);
            return NULL;
        }
    }
    rd_kafka_conf_set_opaque(conf, tally);
    rd_kafka_conf_set_dr_msg_cb(conf, take_report);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!client)
        fprintf(stderr, "floor_kafka: %s\n", why);
    return client;
}

/* Connected, and with the topic known: that is not what is measured. */
static bool warm_up(rd_kafka_t *client, rd_kafka_topic_t *topic)
{
    const struct rd_kafka_metadata *answer = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, topic, &answer, 10000);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(stderr, "floor_kafka: %s\n", rd_kafka_err2str(code));
        return false;
    }
    rd_kafka_metadata_destroy(answer);
    return true;
}

static void produce(rd_kafka_t *client, rd_kafka_topic_t *topic, const struct options *options,
                    void *payload, const struct tally *tally)
{
    for (uint64_t sent = 0; sent < options->events && tally->failed == 0;) {
        if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, 0, payload, options->payload, NULL, 0,
                             NULL) == 0) {
            if (++sent % 1000 == 0)
                (void)rd_kafka_poll(client, 0);
        } else if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            (void)rd_kafka_poll(client, 100);
        } else {
            fprintf(stderr, "floor_kafka: %s\n", rd_kafka_err2str(rd_kafka_last_error()));
            return;
        }
    }
    (void)rd_kafka_flush(client, 60000);
}

static bool run(const struct options *options, void *payload)
{
    struct tally tally = {0};
    bool done = false;
    rd_kafka_t *client = connect_client(options, &tally);
    if (!client)
        return false;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, options->topic, NULL);
    if (topic && warm_up(client, topic)) {
        int64_t started = floor_now();
        produce(client, topic, options, payload, &tally);
        int64_t elapsed = floor_now() - started;
        done = tally.acked == options->events;
        printf("{\"payload\": %" PRIu64 ", \"events\": %" PRIu64 ", \"seconds\": %.6f}\n",
               options->payload, tally.acked, (double)elapsed / 1e9);
    }
    if (topic)
        rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
    return done;
}

int main(int argc, char **argv)
{
    struct options options;
    if (!parse(argc, argv, &options)) {
        fprintf(stderr, usage, argv[0]);
        return 2;
    }
    void *payload = malloc(options.payload);
    if (!payload) {
        fputs("floor_kafka: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    memset(payload, 'x', options.payload);
    bool done = run(&options, payload);
    free(payload);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
