/*
 * transport.c - a socket, with TLS or without, on which nothing waits longer than it may
 * SPDX-License-Identifier: MIT
 */
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define NANOSECONDS INT64_C(1000000000)
#define STAGED_SIZE 16384 /* what a TLS record holds */

/* ---- Waiting ------------------------------------------------------------------------------ */

/* One wait for the socket and for who wakes us. Returns whether one of them, or the deadline, has
 * come; *socket_events says what became of the socket. */
static bool wait_once(int fd, short events, const struct patience *patience, short *socket_events)
{
    struct pollfd watched[2] = {{.fd = fd, .events = events},
                                {.fd = patience->wake_fd, .events = POLLIN}};
    int64_t left = patience->deadline - patience->host->now(patience->host);
    if (left < 0)
        left = 0;
    struct timespec timeout = {(time_t)(left / NANOSECONDS), (long)(left % NANOSECONDS)};
    int ready = ppoll(watched, 2, &timeout, NULL);
    *socket_events = ready > 0 ? watched[0].revents : 0;
    if (ready > 0 && watched[1].revents) {
        uint64_t rings;
        /* Only empties it: whoever rang has written down elsewhere what is wanted. */
        ssize_t got = read(patience->wake_fd, &rings, sizeof(rings));
        (void)got;
    }
    return ready > 0 || left > 0;
}

bool transport_wait(const struct transport *transport, bool write, const struct patience *patience)
{
    short ready;
    bool is_in_time =
        wait_once(transport->fd, (short)(POLLIN | (write ? POLLOUT : 0)), patience, &ready);
    return is_in_time && !atomic_load(patience->is_stopping);
}

/* ---- Connecting --------------------------------------------------------------------------- */

static bool lost(struct transport *transport, const char *doing, const struct place *place,
                 const char *reason)
{
    transport->failure.number = 0;
    (void)snprintf(transport->failure.text, sizeof(transport->failure.text), "%s %.160s:%s: %.250s",
                   doing, place->host, place->port, reason);
    return false;
}

static bool lost_errno(struct transport *transport, const char *doing, const struct place *place,
                       int number)
{
    char where[264];
    (void)snprintf(where, sizeof(where), "%.255s:%s", place->host, place->port);
    failure_of_errno(&transport->failure, number, doing, where, NULL);
    return false;
}

/* Waits for the socket alone, while a connection is being made. */
static bool wait_socket(const struct transport *transport, short events,
                        const struct patience *patience)
{
    short ready = 0;
    while (!ready) {
        if (!wait_once(transport->fd, events, patience, &ready) ||
            atomic_load(patience->is_stopping))
            return false;
    }
    return true;
}

static bool connect_socket(struct transport *transport, const struct addrinfo *found,
                           const struct place *place, const struct patience *patience)
{
    int one = 1, number = 0;
    socklen_t size = sizeof(number);
    transport->fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (transport->fd < 0)
        return lost_errno(transport, "connect to", place, errno);
    (void)setsockopt(transport->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(transport->fd, found->ai_addr, found->ai_addrlen) == 0)
        return true;
    if (errno != EINPROGRESS)
        return lost_errno(transport, "connect to", place, errno);
    if (!wait_socket(transport, POLLOUT, patience))
        return lost(transport, "connect to", place, "no answer within \"connect_timeout\"");
    if (getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &number, &size) < 0)
        number = errno;
    return number == 0 || lost_errno(transport, "connect to", place, number);
}

/* One of so many equal parts of the time that is left. */
static struct patience part_of(const struct patience *patience, int64_t parts)
{
    struct patience part = *patience;
    int64_t now = patience->host->now(patience->host);
    if (now < part.deadline)
        part.deadline = now + (part.deadline - now) / parts;
    return part;
}

static bool connect_any(struct transport *transport, const struct place *place,
                        const struct patience *patience)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(place->host, place->port, &hints, &found);
    if (failed)
        return lost(transport, "look up", place, gai_strerror(failed));
    bool is_connected = false;
    int64_t left = 0;
    for (const struct addrinfo *one = found; one; one = one->ai_next)
        left++;
    for (const struct addrinfo *one = found; one && !is_connected; one = one->ai_next) {
        /* An address that does not answer leaves time for those behind it. */
        struct patience share = part_of(patience, left--);
        transport_close(transport);
        is_connected = connect_socket(transport, one, place, &share);
    }
    freeaddrinfo(found);
    return is_connected;
}

/* ---- TLS ---------------------------------------------------------------------------------- */

static bool tls_lost(struct transport *transport, const struct place *place)
{
    char reason[256];
    long verified = SSL_get_verify_result(transport->ssl);
    unsigned long code = ERR_peek_last_error();
    if (verified != X509_V_OK)
        (void)snprintf(reason, sizeof(reason), "the certificate is not accepted: %s",
                       X509_verify_cert_error_string(verified));
    else if (code)
        (void)snprintf(reason, sizeof(reason), "TLS: %s", ERR_reason_error_string(code));
    else
        (void)snprintf(reason, sizeof(reason),
                       "TLS: the connection was closed; is this its TLS port?");
    ERR_clear_error();
    return lost(transport, "connect to", place, reason);
}

static bool expect_host(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static bool start_tls(struct transport *transport, const struct place *place, SSL_CTX *tls,
                      const struct patience *patience)
{
    ERR_clear_error();
    transport->ssl = SSL_new(tls);
    transport->staged = malloc(STAGED_SIZE);
    if (!transport->ssl || !transport->staged || !expect_host(transport->ssl, place->host) ||
        SSL_set_fd(transport->ssl, transport->fd) != 1)
        return lost(transport, "connect to", place, "TLS cannot be prepared");
    for (;;) {
        ERR_clear_error();
        int done = SSL_connect(transport->ssl);
        if (done == 1)
            return true;
        int wanted = SSL_get_error(transport->ssl, done);
        if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE)
            return tls_lost(transport, place);
        if (!wait_socket(transport, wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, patience))
            return lost(transport, "connect to", place, "no TLS within \"connect_timeout\"");
    }
}

bool transport_open(struct transport *transport, const struct place *place, SSL_CTX *tls,
                    const struct patience *patience)
{
    transport_close(transport);
    if (connect_any(transport, place, patience) &&
        (!tls || start_tls(transport, place, tls, patience)))
        return true;
    transport_close(transport);
    return false;
}

void transport_close(struct transport *transport)
{
    if (transport->ssl) {
        /* Says goodbye if that takes no waiting. */
        ERR_clear_error();
        (void)SSL_shutdown(transport->ssl);
        SSL_free(transport->ssl);
        ERR_clear_error();
    }
    if (transport->fd >= 0)
        (void)close(transport->fd);
    free(transport->staged);
    transport->fd = -1;
    transport->ssl = NULL;
    transport->staged = NULL;
    transport->staged_at = transport->staged_len = 0;
}

/* ---- Bytes -------------------------------------------------------------------------------- */

static enum transport_result failed_io(struct transport *transport, int number, const char *doing)
{
    if (number == EAGAIN || number == EWOULDBLOCK || number == EINTR)
        return TRANSPORT_AGAIN;
    failure_of_errno(&transport->failure, number, doing, "the broker", NULL);
    return TRANSPORT_LOST;
}

static enum transport_result ended(struct transport *transport)
{
    transport->failure.number = 0;
    (void)snprintf(transport->failure.text, sizeof(transport->failure.text),
                   "the broker closed the connection");
    return TRANSPORT_LOST;
}

static enum transport_result failed_tls(struct transport *transport, int result, const char *doing)
{
    int number = errno;
    switch (SSL_get_error(transport->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return TRANSPORT_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return ended(transport);
    case SSL_ERROR_SYSCALL:
        if (number != 0)
            return failed_io(transport, number == EAGAIN ? ECONNRESET : number, doing);
        return ended(transport);
    default: {
        unsigned long code = ERR_peek_last_error();
        transport->failure.number = 0;
        (void)snprintf(transport->failure.text, sizeof(transport->failure.text),
                       "%s the broker: TLS: %s", doing,
                       code ? ERR_reason_error_string(code) : "failed");
        ERR_clear_error();
        return TRANSPORT_LOST;
    }
    }
}

static enum transport_result send_plain(struct transport *transport, const struct iovec *parts,
                                        size_t count, size_t *sent)
{
    const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                                   .msg_iovlen = count};
    ssize_t taken = sendmsg(transport->fd, &message, MSG_NOSIGNAL);
    if (taken < 0)
        return failed_io(transport, errno, "send to");
    *sent = (size_t)taken;
    return TRANSPORT_DONE;
}

static enum transport_result flush_staged(struct transport *transport)
{
    while (transport->staged_at < transport->staged_len) {
        ERR_clear_error();
        errno = 0;
        int taken = SSL_write(transport->ssl, transport->staged + transport->staged_at,
                              (int)(transport->staged_len - transport->staged_at));
        if (taken <= 0)
            return failed_tls(transport, taken, "send to");
        transport->staged_at += (size_t)taken;
    }
    transport->staged_at = transport->staged_len = 0;
    return TRANSPORT_DONE;
}

/* TLS encrypts from contiguous memory, so this is the one place where a payload is copied. */
static enum transport_result send_tls(struct transport *transport, const struct iovec *parts,
                                      size_t count, size_t *sent)
{
    enum transport_result result = flush_staged(transport);
    for (size_t i = 0; i < count && result == TRANSPORT_DONE; i++) {
        size_t at = 0;
        while (at < parts[i].iov_len && result == TRANSPORT_DONE) {
            size_t room = STAGED_SIZE - transport->staged_len;
            size_t len = parts[i].iov_len - at < room ? parts[i].iov_len - at : room;
            memcpy(transport->staged + transport->staged_len, (char *)parts[i].iov_base + at, len);
            transport->staged_len += len;
            at += len;
            *sent += len;
            if (transport->staged_len == STAGED_SIZE)
                result = flush_staged(transport);
        }
    }
    return result == TRANSPORT_DONE ? flush_staged(transport) : result;
}

enum transport_result transport_send(struct transport *transport, const struct iovec *parts,
                                     size_t count, size_t *sent)
{
    *sent = 0;
    return transport->ssl ? send_tls(transport, parts, count, sent)
                          : send_plain(transport, parts, count, sent);
}

bool transport_is_staging(const struct transport *transport)
{
    return transport->staged_len > 0;
}

enum transport_result transport_receive(struct transport *transport, char *to, size_t size,
                                        size_t *received)
{
    *received = 0;
    if (transport->ssl) {
        ERR_clear_error();
        errno = 0;
        int got = SSL_read(transport->ssl, to, (int)size);
        if (got <= 0)
            return failed_tls(transport, got, "receive from");
        *received = (size_t)got;
        return TRANSPORT_DONE;
    }
    ssize_t got = recv(transport->fd, to, size, 0);
    if (got < 0)
        return failed_io(transport, errno, "receive from");
    if (got == 0)
        return ended(transport);
    *received = (size_t)got;
    return TRANSPORT_DONE;
}
