/*
 * socket.c - connects to a server
 * SPDX-License-Identifier: MIT
 *
 * Not by hiredis: that tries one address alone unless it blocks, and a call that blocks could not
 * be ended by close().
 */
#include "socket.h"

#include "failure.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Of an idle connection: is the peer still there? In seconds. */
#define KEEPALIVE_IDLE 15
#define KEEPALIVE_INTERVAL 5
#define KEEPALIVE_COUNT 3

static void set_option(int fd, int level, int name, int value)
{
    /* Without it the connection works as well. */
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void tune(int fd, int64_t silence)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)(silence / 1000000));
}

/* 0 or the number of errno; *fd is -1 then. */
static int connect_to(const struct sockaddr *address, socklen_t size,
                      const struct patience *patience, int *fd)
{
    int number = 0;
    *fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return errno;
    if (connect(*fd, address, size) < 0)
        number = errno;
    if (number == EINPROGRESS || number == EINTR) {
        socklen_t len = sizeof(number);
        number = patience_wait(patience, *fd, POLLOUT);
        if (number == 0 && getsockopt(*fd, SOL_SOCKET, SO_ERROR, &number, &len) < 0)
            number = errno;
    }
    if (number != 0) {
        (void)close(*fd);
        *fd = -1;
    }
    return number;
}

static enum outbox_status fail(struct outbox_error *error, int number, const char *remedy)
{
    char space[16];
    return outbox_fail(error, OUTBOX_UNAVAILABLE, errno_name(number, space), "%s%s",
                       number == ETIMEDOUT ? "nobody answered in time" : strerror(number), remedy);
}

enum outbox_status socket_connect(const struct place *place, int64_t silence,
                                  const struct patience *patience, int *fd,
                                  struct outbox_error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int number = 0;
    int failed = getaddrinfo(place->host, place->port, &hints, &found);
    if (failed != 0)
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "", "its address is not known: %s",
                           failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
    int left = 0;
    for (const struct addrinfo *at = found; at; at = at->ai_next)
        left++;
    *fd = -1;
    for (const struct addrinfo *at = found; at && *fd < 0 && number != ECANCELED;
         at = at->ai_next) {
        /* An address that does not answer leaves time for those behind it. */
        struct patience share = patience_within(patience, patience_left(patience) / left--);
        number = connect_to(at->ai_addr, at->ai_addrlen, &share, fd);
    }
    freeaddrinfo(found);
    if (*fd < 0)
        return fail(error, number, "");
    tune(*fd, silence);
    return OUTBOX_OK;
}

enum outbox_status socket_connect_path(const char *path, const struct patience *patience, int *fd,
                                       struct outbox_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(address.sun_path))
        return outbox_fail(error, OUTBOX_INVALID, "ENAMETOOLONG", "the name is too long");
    memcpy(address.sun_path, path, len);
    int number = connect_to((const struct sockaddr *)&address, sizeof(address), patience, fd);
    if (number != 0)
        return fail(error, number,
                    number == EACCES ? ": the relay's user needs the right to write to the socket"
                                     : "");
    return OUTBOX_OK;
}
