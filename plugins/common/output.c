/*
 * output.c - bytes into a descriptor, by a deadline
 * SPDX-License-Identifier: MIT
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS INT64_C(1000000000)

static void failing_write_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGPIPE);
    (void)sigaddset(set, SIGXFSZ);
}

void output_signals_begin(struct output_signals *signals)
{
    sigset_t ours;
    failing_write_signals(&ours);
    (void)sigpending(&signals->pending);
    (void)pthread_sigmask(SIG_BLOCK, &ours, &signals->before);
}

/* Takes the signal that a write has left pending, unless one was pending already: that one is not
 * ours. */
static void take_signal(int number, const struct output_signals *signals)
{
    static const struct timespec at_once = {0, 0};
    sigset_t one;
    if (sigismember(&signals->pending, number))
        return;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, number);
    while (sigtimedwait(&one, NULL, &at_once) < 0 && errno == EINTR)
        ;
}

void output_signals_end(const struct output_signals *signals)
{
    sigset_t now;
    (void)sigpending(&now);
    if (sigismember(&now, SIGPIPE))
        take_signal(SIGPIPE, signals);
    if (sigismember(&now, SIGXFSZ))
        take_signal(SIGXFSZ, signals);
    (void)pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
}

int output_wait(int fd, const struct outbox_host *host, int64_t deadline)
{
    for (;;) {
        struct pollfd wanted = {.fd = fd, .events = POLLOUT};
        int64_t left = deadline - host->now(host);
        if (left < 0)
            left = 0;
        struct timespec timeout = {(time_t)(left / NANOSECONDS), (long)(left % NANOSECONDS)};
        int ready = ppoll(&wanted, 1, &timeout, NULL);
        if (ready < 0 && errno != EINTR)
            return errno;
        if (ready < 0)
            continue;
        if (ready == 0)
            return ETIMEDOUT;
        if (wanted.revents & POLLNVAL)
            return EBADF;
        return wanted.revents & (POLLERR | POLLHUP) ? EPIPE : 0;
    }
}

/* How a descriptor is written to so that a reader who does not read cannot hold the thread. */
enum output_kind { OUTPUT_PLAIN, OUTPUT_SOCKET, OUTPUT_BLOCKING_PIPE };

static int kind_of(int fd, enum output_kind *kind)
{
    struct stat info;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &info) < 0)
        return errno;
    *kind = OUTPUT_PLAIN;
    if (S_ISSOCK(info.st_mode))
        *kind = OUTPUT_SOCKET;
    else if (S_ISFIFO(info.st_mode) && !(flags & O_NONBLOCK))
        *kind = OUTPUT_BLOCKING_PIPE;
    return 0;
}

static ssize_t write_some(int fd, enum output_kind kind, const char *data, uint64_t len)
{
    size_t piece = len > SSIZE_MAX ? SSIZE_MAX : (size_t)len;
    if (kind == OUTPUT_SOCKET)
        return send(fd, data, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
    /* O_NONBLOCK would be set for everyone who shares the pipe; so much always fits where poll()
     * says that something does. */
    if (kind == OUTPUT_BLOCKING_PIPE && piece > PIPE_BUF)
        piece = PIPE_BUF;
    return write(fd, data, piece);
}

int output_write(int fd, const struct outbox_host *host, int64_t deadline, const char *data,
                 uint64_t len, uint64_t *written)
{
    enum output_kind kind = OUTPUT_PLAIN;
    *written = 0;
    int failed = kind_of(fd, &kind);
    while (!failed && *written < len) {
        if (*written > 0 && host->now(host) >= deadline)
            return ETIMEDOUT;
        if (kind == OUTPUT_BLOCKING_PIPE) {
            failed = output_wait(fd, host, deadline);
            if (failed)
                break;
        }
        ssize_t some = write_some(fd, kind, data + *written, len - *written);
        if (some > 0)
            *written += (uint64_t)some;
        else if (some == 0)
            failed = EIO;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            failed = output_wait(fd, host, deadline);
        else if (errno != EINTR)
            failed = errno;
    }
    return failed;
}

int output_space(int fd, uint64_t bytes)
{
    struct statvfs volume;
    if (fstatvfs(fd, &volume) < 0)
        return errno;
    uint64_t blocks = geteuid() == 0 ? volume.f_bfree : volume.f_bavail;
    uint64_t block = volume.f_frsize ? volume.f_frsize : 1;
    /* A volume that counts no blocks at all cannot say that it is full. */
    return volume.f_blocks > 0 && blocks < bytes / block + (bytes % block > 0) ? ENOSPC : 0;
}
