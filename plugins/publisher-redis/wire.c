/*
 * wire.c - a connection: bytes out, replies in
 * SPDX-License-Identifier: MIT
 */
#include "wire.h"

#include "answer.h"
#include "failure.h"
#include "resp.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD 16384u     /* bytes that fit a TLS record */
#define RECEIVED 32768u   /* bytes read at once */
#define MOST_READS 8      /* of one wire_receive(): others wait as well */
#define MOST_VECTORS 1024 /* what the kernel takes, IOV_MAX */

enum outbox_status wire_open(struct wire *wire, int fd, struct tls *tls, const char *host,
                             const struct patience *patience, struct outbox_error *error)
{
    enum outbox_status status = OUTBOX_OK;
    *wire = (struct wire){.fd = fd};
    wire->reader = redisReaderCreate();
    if (tls)
        wire->staging = malloc(RECORD);
    if (!wire->reader || (tls && !wire->staging))
        status = outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "out of memory");
    if (status == OUTBOX_OK && tls)
        status = tls_session_new(tls, fd, host, patience, &wire->session, error);
    if (status != OUTBOX_OK)
        wire_close(wire);
    return status;
}

void wire_close(struct wire *wire)
{
    tls_session_free(&wire->session);
    if (wire->reader)
        redisReaderFree(wire->reader);
    wire->reader = NULL;
    free(wire->staging);
    wire->staging = NULL;
    outgoing_clear(&wire->out);
    if (wire->fd >= 0)
        (void)close(wire->fd);
    wire->fd = -1;
}

/* ---- Out ---------------------------------------------------------------------------------- */

static ssize_t send_plain(struct wire *wire)
{
    struct iovec vectors[MOST_VECTORS];
    int count = outgoing_vectors(&wire->out, vectors, MOST_VECTORS);
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = (size_t)count};
    wire->send_events = POLLOUT;
    return sendmsg(wire->fd, &message, MSG_NOSIGNAL);
}

static ssize_t send_secure(struct wire *wire)
{
    uint64_t len = outgoing_peek(&wire->out, wire->staging, RECORD);
    return tls_session_send(wire->session, wire->staging, len, &wire->send_events);
}

int wire_send(struct wire *wire)
{
    while (!outgoing_is_empty(&wire->out)) {
        ssize_t sent = wire->session ? send_secure(wire) : send_plain(wire);
        if (sent > 0)
            outgoing_sent(&wire->out, (uint64_t)sent);
        else if (sent < 0 && errno == EINTR)
            continue;
        else
            return sent < 0 && errno != EAGAIN ? errno : 0;
    }
    return 0;
}

/* ---- In ----------------------------------------------------------------------------------- */

int wire_receive(struct wire *wire, uint64_t *got)
{
    char buffer[RECEIVED];
    *got = 0;
    /* TLS is read to its end: what it holds back, the descriptor does not show. */
    for (int i = 0; i < MOST_READS || wire->session; i++) {
        wire->receive_events = POLLIN;
        ssize_t len = wire->session ? tls_session_receive(wire->session, buffer, sizeof(buffer),
                                                          &wire->receive_events)
                                    : recv(wire->fd, buffer, sizeof(buffer), 0);
        if (len == 0)
            return WIRE_ENDED;
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return errno == EAGAIN ? 0 : errno;
        if (redisReaderFeed(wire->reader, buffer, (size_t)len) != REDIS_OK)
            return EPROTO;
        *got += (uint64_t)len;
        if (!wire->session && (size_t)len < sizeof(buffer))
            break;
    }
    return 0;
}

short wire_events(const struct wire *wire)
{
    int events = POLLIN | wire->receive_events;
    if (!outgoing_is_empty(&wire->out))
        events |= wire->send_events ? wire->send_events : POLLOUT;
    return (short)events;
}

/* ---- One by one --------------------------------------------------------------------------- */

bool wire_command(struct wire *wire, const struct outbox_slice *arguments, uint64_t count)
{
    uint64_t size = RESP_NUMBER;
    for (uint64_t i = 0; i < count; i++)
        size += arguments[i].len + RESP_FRAME;
    char *at = outgoing_room(&wire->out, size, 0);
    if (!at)
        return false;
    at = resp_count(at, '*', count);
    for (uint64_t i = 0; i < count; i++)
        at = resp_argument(at, arguments[i].data, arguments[i].len);
    outgoing_add(&wire->out, at);
    return true;
}

const char *wire_reason(int number)
{
    if (number == WIRE_ENDED)
        return "the server closed the connection";
    if (number == EPROTO)
        return "what came is not the protocol of Redis";
    return number == ETIMEDOUT ? "nobody answered in time" : strerror(number);
}

static enum outbox_status unavailable(struct outbox_error *error, int number)
{
    char space[16];
    return outbox_fail(error, OUTBOX_UNAVAILABLE,
                       number == WIRE_ENDED ? "EOF" : errno_name(number, space), "%s",
                       wire_reason(number));
}

enum outbox_status wire_reply(struct wire *wire, const struct patience *patience,
                              redisReply **reply, struct outbox_error *error)
{
    int number = 0;
    *reply = NULL;
    while (number == 0) {
        void *found = NULL;
        if (redisReaderGetReply(wire->reader, &found) != REDIS_OK)
            return unavailable(error, EPROTO);
        if (found) {
            *reply = found;
            if ((*reply)->type == REDIS_REPLY_ERROR)
                answer_hide_arguments((*reply)->str);
            return OUTBOX_OK;
        }
        uint64_t got = 0;
        /* A server that refuses says why before it closes: what it sent comes first. */
        int send_failed = wire_send(wire);
        number = patience_wait(patience, wire->fd, send_failed ? POLLIN : wire_events(wire));
        if (number == 0)
            number = wire_receive(wire, &got);
        if (got > 0)
            number = 0;
        else if (send_failed)
            number = send_failed;
    }
    return unavailable(error, number);
}
