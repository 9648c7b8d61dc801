/*
 * lease.c - the leases that a pipeline holds, so that they are renewed in time
 * SPDX-License-Identifier: MIT
 */
#include "lease.h"

#include "clock.h"

#include <inttypes.h>

void lease_token_make(char token[TOKEN_MAX + 1], const char *relay_id, uint64_t seed,
                      uint64_t number)
{
    (void)snprintf(token, TOKEN_MAX + 1, TOKEN_PREFIX "%s:%016" PRIx64 "%08" PRIx64, relay_id, seed,
                   number);
}

/* An id has no colon in it. */
struct outbox_slice lease_token_relay(struct outbox_slice token)
{
    const size_t prefix = strlen(TOKEN_PREFIX);
    const struct outbox_slice none = {NULL, 0};

    if (!token.data || token.len <= prefix || memcmp(token.data, TOKEN_PREFIX, prefix) != 0)
        return none;
    const char *id = token.data + prefix, *end = memchr(id, ':', (size_t)token.len - prefix);
    if (!end || end == id)
        return none;
    return (struct outbox_slice){id, (uint64_t)(end - id)};
}

void lease_book_init(struct lease_book *book)
{
    book->head = NULL;
    pthread_mutex_init(&book->lock, NULL);
}

void lease_book_clear(struct lease_book *book)
{
    pthread_mutex_destroy(&book->lock);
}

static void lease_hold(struct lease *lease, int64_t from, int64_t duration)
{
    lease->expires = from + duration;
    lease->renew_at = from + duration / 2;
}

void lease_enter(struct lease_book *book, struct lease *lease, int64_t from, int64_t duration,
                 uint64_t outstanding)
{
    pthread_mutex_lock(&book->lock);
    lease->outstanding = outstanding;
    lease->lost = false;
    lease_hold(lease, from, duration);
    lease->next = book->head;
    book->head = lease;
    pthread_mutex_unlock(&book->lock);
}

void lease_settled(struct lease_book *book, struct lease *lease, uint64_t count)
{
    pthread_mutex_lock(&book->lock);
    lease->outstanding -= count;
    pthread_mutex_unlock(&book->lock);
}

void lease_leave(struct lease_book *book, struct lease *lease)
{
    pthread_mutex_lock(&book->lock);
    for (struct lease **link = &book->head; *link; link = &(*link)->next) {
        if (*link == lease) {
            *link = lease->next;
            break;
        }
    }
    pthread_mutex_unlock(&book->lock);
}

int64_t lease_next_due(struct lease_book *book)
{
    int64_t next = NEVER;

    pthread_mutex_lock(&book->lock);
    for (const struct lease *lease = book->head; lease; lease = lease->next)
        if (!lease->lost && lease->renew_at < next)
            next = lease->renew_at;
    pthread_mutex_unlock(&book->lock);
    return next;
}

bool lease_due(struct lease_book *book, int64_t now, struct lease *copy)
{
    bool found = false;

    pthread_mutex_lock(&book->lock);
    for (const struct lease *lease = book->head; lease && !found; lease = lease->next) {
        if (!lease->lost && lease->renew_at <= now) {
            *copy = *lease;
            found = true;
        }
    }
    pthread_mutex_unlock(&book->lock);
    return found;
}

static struct lease *lease_find(struct lease_book *book, const char *token)
{
    for (struct lease *lease = book->head; lease; lease = lease->next)
        if (strcmp(lease->token, token) == 0)
            return lease;
    return NULL; /* settled meanwhile */
}

void lease_extend(struct lease_book *book, const char *token, int64_t from, int64_t duration)
{
    pthread_mutex_lock(&book->lock);
    struct lease *lease = lease_find(book, token);
    if (lease)
        lease_hold(lease, from, duration);
    pthread_mutex_unlock(&book->lock);
}

void lease_postpone(struct lease_book *book, const char *token, int64_t retry_at)
{
    pthread_mutex_lock(&book->lock);
    struct lease *lease = lease_find(book, token);
    if (lease)
        lease->renew_at = retry_at;
    pthread_mutex_unlock(&book->lock);
}

void lease_lose(struct lease_book *book, const char *token, int64_t now,
                void (*on_lost)(void *context, struct lease *lease), void *context)
{
    pthread_mutex_lock(&book->lock);
    for (struct lease *lease = book->head; lease; lease = lease->next) {
        bool hit = token ? strcmp(lease->token, token) == 0 : lease->expires <= now;
        if (hit && !lease->lost) {
            lease->lost = true;
            on_lost(context, lease);
        }
    }
    pthread_mutex_unlock(&book->lock);
}
