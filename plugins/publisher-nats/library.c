/*
 * library.c - the client library as a whole
 * SPDX-License-Identifier: MIT
 *
 * It has threads of its own for the whole process: for timers, callbacks and freed memory. They are
 * started here, once, with all signals blocked, whatever the process does about them. They are not
 * ended by us, as another pipeline, or the library's own handler at exit, may still need them.
 */
#include "library.h"

#include <nats/nats.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static natsStatus started;

static void start(void)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    started = nats_Open(-1);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool library_start(void)
{
    return pthread_once(&once, start) == 0 && started == NATS_OK;
}

void library_reason(int status, char *text, size_t size)
{
    natsStatus last = NATS_OK;
    const char *reason = nats_GetLastError(&last);
    if (!reason || last != (natsStatus)status || !*reason)
        reason = natsStatus_GetText((natsStatus)status);
    /* As in "(conn.c:123): SSL handshake error". */
    const char *end = *reason == '(' ? strstr(reason, "): ") : NULL;
    (void)snprintf(text, size, "%s", end ? end + 3 : reason);
}

void library_block_signals(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
}
