/*
 * floor_nats.c - the fastest bare loop that publishes to JetStream, with the NATS C client
 * SPDX-License-Identifier: MIT
 *
 * Each message has what the relay sends of an event without headers: the payload, its id and its
 * type, and the id once more for the stream. One thread runs the library by its event loop, and one
 * subscription takes the acknowledgements of a bounded window: less than half of what the library's
 * own asynchronous publishing costs.
 */
#include "floor_common.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: %s [--events N] [--payload BYTES] [--window N] nats://HOST:PORT SUBJECT\n"
    "Publishes messages and prints how long it took until a stream had acknowledged all.\n";

enum {
    ID_SIZE = 37,
    INBOX_SIZE = 80,
    BUFFER_ENOUGH = 256 * 1024,
    READ_SIZE = 64 * 1024,
    WAIT = 10000, /* milliseconds without anything */
};

struct producer {
    const char *url, *subject;
    uint64_t events, payload_size, window;
    uint64_t sent, answered;
    char *payload;
    natsConnection *connection;
    natsSubscription *answers;
    char inbox[INBOX_SIZE], run[14];
    int fd;
    bool wants_write;
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
            is_valid = is_valid && parse_number(optarg, 1 << 26, &producer->payload_size);
        else if (letter == 'w')
            is_valid = is_valid && parse_number(optarg, 1000000, &producer->window);
        else
            is_valid = false;
    }
    if (is_valid && argc - optind == 2) {
        producer->url = argv[optind];
        producer->subject = argv[optind + 1];
        return 0;
    }
    fprintf(stderr, usage, argv[0]);
    return 2;
}

/* ---- The event loop, as the library asks for it ------------------------------------------- */

static natsStatus attach(void **user_data, void *loop, natsConnection *connection, natsSock fd)
{
    struct producer *producer = loop;
    (void)connection;
    *user_data = producer;
    producer->fd = fd;
    return NATS_OK;
}

static natsStatus watch_read(void *user_data, bool is_added)
{
    (void)user_data;
    (void)is_added;
    return NATS_OK;
}

static natsStatus watch_write(void *user_data, bool is_added)
{
    struct producer *producer = user_data;
    producer->wants_write = is_added;
    return NATS_OK;
}

static natsStatus detach(void *user_data)
{
    (void)user_data;
    return NATS_OK;
}

static natsStatus connect_to(struct producer *producer, natsOptions *options)
{
    natsStatus status = natsOptions_SetURL(options, producer->url);
    if (status == NATS_OK)
        status =
            natsOptions_SetEventLoop(options, producer, attach, watch_read, watch_write, detach);
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(options, true);
    if (status == NATS_OK)
        status = natsOptions_SetAllowReconnect(options, false);
    if (status == NATS_OK)
        status = natsOptions_SetPingInterval(options, 0); /* it would come from another thread */
    if (status == NATS_OK)
        status = natsOptions_SetIOBufSize(options, READ_SIZE);
    return status == NATS_OK ? natsConnection_Connect(&producer->connection, options) : status;
}

static natsStatus open_connection(struct producer *producer)
{
    natsOptions *options = NULL;
    natsInbox *inbox = NULL;
    char pattern[INBOX_SIZE + 2];
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = connect_to(producer, options);
    natsOptions_Destroy(options);
    if (status == NATS_OK)
        status = natsInbox_Create(&inbox);
    if (status != NATS_OK)
        return status;
    (void)snprintf(producer->inbox, sizeof(producer->inbox), "%s", inbox);
    (void)snprintf(pattern, sizeof(pattern), "%s.*", inbox);
    /* The stream drops ids that it has had lately: each run has its own. */
    (void)snprintf(producer->run, sizeof(producer->run), "%.13s",
                   inbox + strlen(inbox) - sizeof(producer->run) + 1);
    natsInbox_Destroy(inbox);
    status = natsConnection_SubscribeSync(&producer->answers, producer->connection, pattern);
    return status == NATS_OK ? natsSubscription_SetPendingLimits(producer->answers, -1, -1)
                             : status;
}

/* ---- Publishing --------------------------------------------------------------------------- */

static natsStatus send_one(struct producer *producer)
{
    char id[ID_SIZE], reply[INBOX_SIZE + 24];
    natsMsg *message = NULL;
    (void)snprintf(reply, sizeof(reply), "%s.%016" PRIx64, producer->inbox, producer->sent);
    (void)snprintf(id, sizeof(id), "%s-%022" PRIx64, producer->run, producer->sent);
    natsStatus status = natsMsg_Create(&message, producer->subject, reply, producer->payload,
                                       (int)producer->payload_size);
    if (status == NATS_OK)
        status = natsMsgHeader_Set(message, "event-id", id);
    if (status == NATS_OK)
        status = natsMsgHeader_Set(message, "event-type", "test.event");
    if (status == NATS_OK)
        status = natsMsgHeader_Set(message, "Nats-Msg-Id", id);
    if (status == NATS_OK)
        status = natsConnection_PublishMsg(producer->connection, message);
    natsMsg_Destroy(message);
    producer->sent++;
    return status;
}

static natsStatus fill_window(struct producer *producer)
{
    uint64_t room = BUFFER_ENOUGH / (producer->payload_size + 256) + 1;
    natsStatus status = NATS_OK;
    if (natsConnection_Buffered(producer->connection) >= BUFFER_ENOUGH)
        return NATS_OK;
    while (status == NATS_OK && room-- > 0 && producer->sent < producer->events &&
           producer->sent - producer->answered < producer->window)
        status = send_one(producer);
    return status;
}

static bool is_acknowledged(const natsMsg *answer)
{
    const char *data = natsMsg_GetData(answer);
    size_t len = (size_t)natsMsg_GetDataLength(answer);
    if (len > 0 && memmem(data, len, "\"seq\":", 6) && !memmem(data, len, "\"error\"", 7))
        return true;
    fprintf(stderr, "floor_nats: not acknowledged: %.*s\n", (int)len, data ? data : "");
    return false;
}

static natsStatus take_answers(struct producer *producer)
{
    int count = 0;
    natsStatus status = natsSubscription_GetPending(producer->answers, &count, NULL);
    for (; status == NATS_OK && count > 0; count--) {
        natsMsg *answer = NULL;
        status = natsSubscription_NextMsg(&answer, producer->answers, 1);
        if (status == NATS_OK && !is_acknowledged(answer))
            status = NATS_ERR;
        natsMsg_Destroy(answer);
        producer->answered++;
    }
    return status;
}

static natsStatus produce(struct producer *producer)
{
    natsStatus status = NATS_OK;
    while (status == NATS_OK && producer->answered < producer->events) {
        status = fill_window(producer);
        struct pollfd poll_fd = {.fd = producer->fd, .events = POLLIN};
        if (producer->wants_write)
            poll_fd.events |= POLLOUT;
        if (status == NATS_OK && poll(&poll_fd, 1, WAIT) <= 0)
            status = NATS_TIMEOUT;
        if (poll_fd.revents & POLLOUT)
            natsConnection_ProcessWriteEvent(producer->connection);
        if (poll_fd.revents & (POLLIN | POLLHUP | POLLERR))
            natsConnection_ProcessReadEvent(producer->connection);
        if (status == NATS_OK)
            status = take_answers(producer);
        if (status == NATS_OK && natsConnection_IsClosed(producer->connection))
            status = NATS_CONNECTION_CLOSED;
    }
    return status;
}

int main(int argc, char **argv)
{
    struct producer producer = {.events = 100000, .payload_size = 512, .window = 4096};
    int code = parse(argc, argv, &producer);
    if (code != 0)
        return code;
    producer.payload = malloc(producer.payload_size);
    natsStatus status = producer.payload ? open_connection(&producer) : NATS_NO_MEMORY;
    int64_t started = floor_now();
    if (status == NATS_OK) {
        memset(producer.payload, 'x', producer.payload_size);
        status = produce(&producer);
    }
    int64_t elapsed = floor_now() - started;
    if (status == NATS_OK)
        printf("{\"payload\": %" PRIu64 ", \"window\": %" PRIu64 ", \"events\": %" PRIu64
               ", \"seconds\": %.6f}\n",
               producer.payload_size, producer.window, producer.events, (double)elapsed / 1e9);
    else
        fprintf(stderr, "floor_nats: %s\n", natsStatus_GetText(status));
    natsSubscription_Destroy(producer.answers);
    natsConnection_Destroy(producer.connection);
    free(producer.payload);
    return status == NATS_OK ? 0 : 1;
}
