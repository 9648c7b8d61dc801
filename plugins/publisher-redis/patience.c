/*
 * patience.c - waiting for a descriptor: until a deadline, or until told to stop
 * SPDX-License-Identifier: MIT
 */
#include "patience.h"

#include <errno.h>
#include <time.h>

#define NANOSECONDS INT64_C(1000000000)

int patience_wait(const struct patience *patience, int fd, short events)
{
    struct pollfd wanted[] = {{.fd = fd, .events = events},
                              {.fd = patience->stop, .events = POLLIN}};
    for (;;) {
        int64_t left = patience_left(patience);
        struct timespec timeout = {(time_t)(left / NANOSECONDS), (long)(left % NANOSECONDS)};
        int ready = ppoll(wanted, 2, &timeout, NULL);
        if (ready < 0 && errno != EINTR)
            return errno;
        if (ready < 0)
            continue;
        if (ready > 0 && wanted[1].revents)
            return ECANCELED;
        return ready > 0 ? 0 : ETIMEDOUT;
    }
}
