/*
 * seat.c - a thread's session with the store, where other threads can interrupt it
 * SPDX-License-Identifier: MIT
 */
#include "seat.h"

#include "clock.h"

void seat_init(struct seat *seat, const struct outbox_store_ops *ops)
{
    *seat = (struct seat){.ops = ops};
    pthread_mutex_init(&seat->lock, NULL);
}

void seat_clear(struct seat *seat)
{
    pthread_mutex_destroy(&seat->lock);
}

static void set_session(struct seat *seat, struct outbox_session *session)
{
    pthread_mutex_lock(&seat->lock);
    seat->session = session;
    pthread_mutex_unlock(&seat->lock);
}

enum outbox_status seat_open(struct seat *seat, struct outbox_store *store, int64_t timeout,
                             struct outbox_error *error)
{
    struct outbox_session *session = NULL;

    if (seat->session)
        return OUTBOX_OK;
    enum outbox_status status =
        seat->ops->session_open(store, clock_now() + timeout, &session, error);
    if (status == OUTBOX_OK)
        set_session(seat, session);
    return status;
}

void seat_close(struct seat *seat)
{
    struct outbox_session *session = seat->session;

    set_session(seat, NULL);
    if (session)
        seat->ops->session_close(session);
}

void seat_interrupt(struct seat *seat)
{
    pthread_mutex_lock(&seat->lock);
    if (seat->session && seat->ops->interrupt)
        seat->ops->interrupt(seat->session);
    pthread_mutex_unlock(&seat->lock);
}
