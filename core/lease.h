/*
 * lease.h - the leases that a pipeline holds, so that they are renewed in time
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_LEASE_H
#define CORE_LEASE_H

#include <outbox/types.h>
#include <pthread.h>
#include <stdbool.h>

/* What the claim token of every relay of this make begins with; the relay's id and a number that no
 * other claim has follow. */
#define TOKEN_PREFIX "outbox-relay:"
#define TOKEN_MAX 120

void lease_token_make(char token[TOKEN_MAX + 1], const char *relay_id, uint64_t seed,
                      uint64_t number);

/* The id of the relay that made the token; absent if that was no relay of this make. Points into
 * the token. */
struct outbox_slice lease_token_relay(struct outbox_slice token);

/* Of one claim. The book's lock guards it while it is in the book. */
struct lease {
    struct lease *next;
    char token[TOKEN_MAX + 1];
    int64_t expires, renew_at; /* monotonic */
    uint64_t outstanding;      /* events not yet settled */
    bool lost;
};

struct lease_book {
    pthread_mutex_t lock;
    struct lease *head;
};

void lease_book_init(struct lease_book *book);
void lease_book_clear(struct lease_book *book);

/* `from` is a time before the claim was made, `duration` in ns. */
void lease_enter(struct lease_book *book, struct lease *lease, int64_t from, int64_t duration,
                 uint64_t outstanding);
void lease_settled(struct lease_book *book, struct lease *lease, uint64_t count);
void lease_leave(struct lease_book *book, struct lease *lease);

/* When the next lease wants renewal; NEVER if none does. */
int64_t lease_next_due(struct lease_book *book);

/* Copies a lease that wants renewal at `now`; false if there is none. */
bool lease_due(struct lease_book *book, int64_t now, struct lease *copy);

/* Renewed: holds for `duration` from `from`. */
void lease_extend(struct lease_book *book, const char *token, int64_t from, int64_t duration);

/* Not renewed, for now: again at `retry_at`. */
void lease_postpone(struct lease_book *book, const char *token, int64_t retry_at);

/* Marks the lease of `token`, or with NULL every lease that expired by `now`, as lost and calls
 * on_lost(context, lease) for each, under the book's lock, so that none leaves meanwhile. */
void lease_lose(struct lease_book *book, const char *token, int64_t now,
                void (*on_lost)(void *context, struct lease *lease), void *context);

#endif
