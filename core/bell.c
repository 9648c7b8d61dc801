/*
 * bell.c - the one way in which a thread waits: for a ring, a descriptor or a time
 * SPDX-License-Identifier: MIT
 */
#include "bell.h"

#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool bell_init(struct bell *bell)
{
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return bell->fd >= 0;
}

void bell_clear(struct bell *bell)
{
    if (bell->fd >= 0)
        (void)close(bell->fd);
    bell->fd = -1;
}

void bell_ring(struct bell *bell)
{
    uint64_t one = 1;
    ssize_t written;

    do
        written = write(bell->fd, &one, sizeof(one));
    while (written < 0 && errno == EINTR);
    if (written < 0 && errno != EAGAIN) /* EAGAIN: it rings already */
        abort();
}

static int wait_once(struct pollfd *fds, nfds_t count, int64_t deadline)
{
    if (deadline == NEVER)
        return ppoll(fds, count, NULL, NULL);
    int64_t left = deadline - clock_now();
    if (left < 0)
        left = 0;
    struct timespec timeout = {left / SECOND, left % SECOND};
    return ppoll(fds, count, &timeout, NULL);
}

bool bell_wait(struct bell *bell, int fd, int64_t deadline)
{
    struct pollfd fds[2] = {{bell->fd, POLLIN, 0}, {fd, POLLIN, 0}};
    int ready;

    do
        ready = wait_once(fds, fd >= 0 ? 2 : 1, deadline);
    while (ready < 0 && errno == EINTR);
    if (ready < 0)
        abort(); /* only a descriptor of our own making can be bad */

    if (fds[0].revents) {
        uint64_t rings;
        if (read(bell->fd, &rings, sizeof(rings)) < 0 && errno != EAGAIN && errno != EINTR)
            abort();
    }
    return fd >= 0 && fds[1].revents != 0;
}
