/*
 * library.c - the client library as a whole
 * SPDX-License-Identifier: MIT
 *
 * It has threads of its own for the whole process: for timers, callbacks and freed memory. They are
 * started with the first publisher, with all signals blocked whatever the process does about them,
 * and have ended when the last one is closed: those that still run when the process exits meet an
 * OpenSSL that has put its things away, and crash.
 *
 * At the exit it frees OpenSSL's list of compressions and leaves it there. Where somebody else used
 * OpenSSL first, that one's own cleaning comes later and would free the list again.
 */
#include "library.h"

#include <nats/nats.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is left of the 5 s that closing may take. */
#define STOP_MILLISECONDS 1000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static bool is_exit_prepared;

static void forget_compressions(void)
{
    (void)SSL_COMP_set0_compression_methods(NULL);
}

/* Handlers are called from the last to the first: ours after that of the library, which it sets up
 * when it is opened for the first time. */
static bool prepare_exit(void)
{
    is_exit_prepared = is_exit_prepared || atexit(forget_compressions) == 0;
    return is_exit_prepared;
}

static natsStatus start(void)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    natsStatus status = nats_Open(-1);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

bool library_start(void)
{
    (void)pthread_mutex_lock(&lock);
    bool is_started = users > 0 || (prepare_exit() && start() == NATS_OK);
    users += is_started;
    (void)pthread_mutex_unlock(&lock);
    return is_started;
}

void library_stop(void)
{
    (void)pthread_mutex_lock(&lock);
    /* Beyond that time it ends by itself, and is not to be started again before. */
    if (--users == 0)
        (void)nats_CloseAndWait(STOP_MILLISECONDS);
    (void)pthread_mutex_unlock(&lock);
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
