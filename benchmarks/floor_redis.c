/*
 * floor_redis.c - the fastest bare loop that adds entries to a Redis stream, with hiredis
 * SPDX-License-Identifier: MIT
 *
 * Each entry has what the relay sends of an event without headers: the payload, its id and its
 * type. Half a window is written while the answers to the other half come in.
 */
#include <errno.h>
#include <getopt.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "floor_common.h"

static const char usage[] =
    "usage: %s [--events N] [--payload BYTES] [--window N] redis://HOST:PORT STREAM\n"
    "Adds entries to a stream and prints how long it took until all were answered.\n";

enum { ID_LEN = 36, ARGUMENTS = 9 };

struct producer {
    const char *stream;
    uint64_t events, payload_size, window;
    char host[256];
    int port;
    char *payload;
    redisContext *connection;
};

static bool parse_number(const char *text, uint64_t maximum, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || value == 0 || value > maximum)
        return false;
    *number = value;
    return true;
}

static bool parse_url(const char *url, struct producer *producer)
{
    static const char scheme[] = "redis://";
    uint64_t port;
    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
        return false;
    const char *host = url + sizeof(scheme) - 1, *colon = strrchr(host, ':');
    if (!colon || colon == host || (size_t)(colon - host) >= sizeof(producer->host) ||
        !parse_number(colon + 1, 65535, &port))
        return false;
    (void)snprintf(producer->host, sizeof(producer->host), "%.*s", (int)(colon - host), host);
    producer->port = (int)port;
    return true;
}

static int parse(int argc, char **argv, struct producer *producer)
{
    static const struct option names[] = {
        {"events", required_argument, NULL, 'e'},
        {"payload", required_argument, NULL, 'p'},
        {"window", required_argument, NULL, 'w'},
        {NULL, 0, NULL, 0},
    };
    bool is_valid = true;
    for (int letter; (letter = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (letter == 'e')
            is_valid = is_valid && parse_number(optarg, UINT64_MAX, &producer->events);
        else if (letter == 'p')
            is_valid = is_valid && parse_number(optarg, 1 << 29, &producer->payload_size);
        else if (letter == 'w')
            is_valid = is_valid && parse_number(optarg, 1000000, &producer->window);
        else
            is_valid = false;
    }
    if (is_valid && argc - optind == 2 && parse_url(argv[optind], producer)) {
        producer->stream = argv[optind + 1];
        return 0;
    }
    fprintf(stderr, usage, argv[0]);
    return 2;
}

static bool write_entries(struct producer *producer, uint64_t first, uint64_t count)
{
    static const size_t fixed[] = {4, 0, 1, 7, 0, 15, ID_LEN, 17, 10};
    char id[ID_LEN + 1];
    const char *arguments[ARGUMENTS] = {"XADD",    producer->stream,    "*",
                                        "payload", producer->payload,   "header:event-id",
                                        id,        "header:event-type", "test.event"};
    size_t lengths[ARGUMENTS];
    memcpy(lengths, fixed, sizeof(fixed));
    lengths[1] = strlen(producer->stream);
    lengths[4] = producer->payload_size;
    for (uint64_t i = first; i < first + count; i++) {
        (void)snprintf(id, sizeof(id), "00000000-0000-7000-8000-%012" PRIx64,
                       i & UINT64_C(0xffffffffffff));
        if (redisAppendCommandArgv(producer->connection, ARGUMENTS, arguments, lengths) != REDIS_OK)
            return false;
    }
    for (int done = 0; !done;)
        if (redisBufferWrite(producer->connection, &done) != REDIS_OK)
            return false;
    return true;
}

static bool read_answers(struct producer *producer, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        void *reply = NULL;
        if (redisGetReply(producer->connection, &reply) != REDIS_OK)
            return false;
        bool is_added = ((redisReply *)reply)->type == REDIS_REPLY_STRING;
        if (!is_added)
            fprintf(stderr, "floor_redis: XADD: %s\n", ((redisReply *)reply)->str);
        freeReplyObject(reply);
        if (!is_added)
            return false;
    }
    return true;
}

static bool produce(struct producer *producer)
{
    uint64_t half = (producer->window + 1) / 2, sent = 0, answered = 0;
    while (answered < producer->events) {
        uint64_t waiting = sent - answered, left = producer->events - sent;
        uint64_t count = left < half ? left : half;
        if (count > 0 && !write_entries(producer, sent, count))
            return false;
        sent += count;
        if (waiting == 0 && left > count)
            continue; /* the other half first */
        if (waiting == 0)
            waiting = count;
        if (!read_answers(producer, waiting))
            return false;
        answered += waiting;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct producer producer = {.events = 100000, .payload_size = 512, .window = 1000};
    int status = parse(argc, argv, &producer);
    if (status != 0)
        return status;
    producer.payload = malloc(producer.payload_size);
    producer.connection = redisConnect(producer.host, producer.port);
    if (!producer.payload || !producer.connection || producer.connection->err) {
        fprintf(stderr, "floor_redis: connect: %s\n",
                producer.connection ? producer.connection->errstr : "out of memory");
        return 1;
    }
    memset(producer.payload, 'x', producer.payload_size);
    int64_t started = floor_now();
    bool is_done = produce(&producer);
    int64_t elapsed = floor_now() - started;
    if (is_done)
        printf("{\"payload\": %" PRIu64 ", \"window\": %" PRIu64 ", \"events\": %" PRIu64
               ", \"seconds\": %.6f}\n",
               producer.payload_size, producer.window, producer.events, (double)elapsed / 1e9);
    else
        fprintf(stderr, "floor_redis: %s\n", producer.connection->errstr);
    redisFree(producer.connection);
    free(producer.payload);
    return is_done ? 0 : 1;
}
