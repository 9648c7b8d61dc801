/*
 * warden.c - cuts connections that hold a courier in a call of the library
 * SPDX-License-Identifier: MIT
 */
#include "warden.h"

#include "library.h"
#include "turn.h"

#define INTERVAL SECOND
#define LONGEST (4 * SECOND)

static void look_at(struct courier *courier)
{
    int64_t busy_since = atomic_load(&courier->busy_since);
    if (busy_since == 0 || courier->host->now(courier->host) - busy_since < LONGEST)
        return;
    (void)pthread_mutex_lock(&courier->lock);
    if (courier->link)
        link_cut(courier->link);
    (void)pthread_mutex_unlock(&courier->lock);
}

static void *work(void *argument)
{
    struct warden *warden = argument;
    library_block_signals();
    (void)pthread_mutex_lock(&warden->lock);
    while (!warden->is_stopping) {
        condition_wait(&warden->changed, &warden->lock, INTERVAL);
        for (unsigned i = 0; i < warden->count; i++)
            look_at(&warden->couriers[i]);
    }
    (void)pthread_mutex_unlock(&warden->lock);
    return NULL;
}

bool warden_start(struct warden *warden, struct courier *couriers, unsigned count)
{
    warden->couriers = couriers;
    warden->count = count;
    if (pthread_mutex_init(&warden->lock, NULL) != 0)
        return false;
    if (condition_init(&warden->changed)) {
        if (pthread_create(&warden->thread, NULL, work, warden) == 0)
            return true;
        (void)pthread_cond_destroy(&warden->changed);
    }
    (void)pthread_mutex_destroy(&warden->lock);
    return false;
}

void warden_stop(struct warden *warden)
{
    (void)pthread_mutex_lock(&warden->lock);
    warden->is_stopping = true;
    (void)pthread_cond_broadcast(&warden->changed);
    (void)pthread_mutex_unlock(&warden->lock);
    (void)pthread_join(warden->thread, NULL);
    (void)pthread_cond_destroy(&warden->changed);
    (void)pthread_mutex_destroy(&warden->lock);
}
