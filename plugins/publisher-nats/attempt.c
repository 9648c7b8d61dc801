/*
 * attempt.c - connecting on a thread of its own, which can be given up
 * SPDX-License-Identifier: MIT
 */
#include "attempt.h"

#include "library.h"
#include "turn.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct attempt {
    _Atomic int holders; /* the thread, and who waits for it */
    struct settings *settings;
    int wake_fd;
    size_t server;
    enum outbox_status status;
    struct outbox_error error;
    struct link *link;
    atomic_bool is_done;
};

static void let_go(struct attempt *attempt)
{
    if (atomic_fetch_sub(&attempt->holders, 1) > 1)
        return;
    if (attempt->link) { /* nobody took it */
        link_close(attempt->link);
        link_release(attempt->link);
    }
    (void)close(attempt->wake_fd);
    settings_release(attempt->settings);
    free(attempt);
}

static void count_attempt(struct settings *settings, int change)
{
    (void)pthread_mutex_lock(&settings->attempts_lock);
    settings->attempts += (unsigned)change;
    (void)pthread_cond_broadcast(&settings->attempts_changed);
    (void)pthread_mutex_unlock(&settings->attempts_lock);
}

static void *connect_now(void *argument)
{
    struct attempt *attempt = argument;
    struct settings *settings = settings_hold(attempt->settings);
    uint64_t one = 1;
    library_block_signals();
    attempt->status = link_open(attempt->settings, &attempt->server, attempt->wake_fd,
                                &attempt->link, &attempt->error);
    atomic_store(&attempt->is_done, true);
    (void)!write(attempt->wake_fd, &one, sizeof(one));
    let_go(attempt);
    /* Before the thread counts as gone. */
    nats_ReleaseThreadMemory();
    OPENSSL_thread_stop();
    count_attempt(settings, -1);
    settings_release(settings);
    return NULL;
}

static bool start_thread(struct attempt *attempt)
{
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    bool is_started = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                      pthread_create(&thread, &attributes, connect_now, attempt) == 0;
    (void)pthread_attr_destroy(&attributes);
    return is_started;
}

struct attempt *attempt_start(struct settings *settings, size_t first, int wake_fd)
{
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    if (!attempt)
        return NULL;
    attempt->wake_fd = fcntl(wake_fd, F_DUPFD_CLOEXEC, 0);
    if (attempt->wake_fd < 0) {
        free(attempt);
        return NULL;
    }
    atomic_init(&attempt->holders, 2);
    attempt->settings = settings_hold(settings);
    attempt->server = first;
    attempt->error.size = sizeof(attempt->error);
    count_attempt(settings, 1);
    if (start_thread(attempt))
        return attempt;
    count_attempt(settings, -1);
    let_go(attempt);
    let_go(attempt);
    return NULL;
}

bool attempt_is_done(struct attempt *attempt)
{
    return atomic_load(&attempt->is_done);
}

struct link *attempt_finish(struct attempt *attempt, size_t *server, enum outbox_status *status,
                            struct outbox_error *error)
{
    struct link *link = attempt->link;
    attempt->link = NULL;
    *server = attempt->server;
    *status = attempt->status;
    *error = attempt->error;
    let_go(attempt);
    return link;
}

void attempt_give_up(struct attempt *attempt)
{
    let_go(attempt);
}

void attempts_wait(struct settings *settings, int64_t nanoseconds)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t end = now.tv_sec * INT64_C(1000000000) + now.tv_nsec + nanoseconds, left = nanoseconds;
    (void)pthread_mutex_lock(&settings->attempts_lock);
    while (settings->attempts > 0 && left > 0) {
        condition_wait(&settings->attempts_changed, &settings->attempts_lock, left);
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        left = end - (now.tv_sec * INT64_C(1000000000) + now.tv_nsec);
    }
    (void)pthread_mutex_unlock(&settings->attempts_lock);
}
