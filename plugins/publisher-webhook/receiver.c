/*
 * receiver.c - what is known of the receiver that the configuration names
 * SPDX-License-Identifier: MIT
 */
#include "receiver.h"

#define NANOSECONDS INT64_C(1000000000)
#define LOSSES_THAT_TELL 8u

bool receiver_init(struct receiver *receiver, const struct outbox_host *host,
                   const struct settings *settings)
{
    receiver->host = host;
    receiver->settings = settings;
    return pthread_mutex_init(&receiver->lock, NULL) == 0;
}

void receiver_clear(struct receiver *receiver)
{
    (void)pthread_mutex_destroy(&receiver->lock);
}

void receiver_heard(struct receiver *receiver)
{
    atomic_store_explicit(&receiver->heard_at, receiver->host->now(receiver->host),
                          memory_order_relaxed);
}

void receiver_acked(struct receiver *receiver)
{
    (void)atomic_fetch_add_explicit(&receiver->acked, 1, memory_order_relaxed);
    if (!atomic_load_explicit(&receiver->is_away, memory_order_relaxed))
        return;
    if (atomic_exchange(&receiver->is_away, false))
        outbox_log(receiver->host, OUTBOX_LOG_INFO, "%.200s takes events again",
                   receiver->settings->url.name);
}

void receiver_lost(struct receiver *receiver, const char *reason)
{
    if (!atomic_exchange(&receiver->is_away, true))
        outbox_log(receiver->host, OUTBOX_LOG_WARN, "%.400s", reason);
}

void receiver_ask_wait(struct receiver *receiver, int64_t seconds)
{
    int64_t until = receiver->host->now(receiver->host) + seconds * NANOSECONDS;
    int64_t known = atomic_load(&receiver->wait_until);
    while (known < until && !atomic_compare_exchange_weak(&receiver->wait_until, &known, until))
        continue;
    if (known < until)
        atomic_store(&receiver->wait_seconds, seconds);
}

/* Nanoseconds that are left of what it has asked for. */
static int64_t wait_left(const struct receiver *receiver)
{
    int64_t until = atomic_load_explicit(&receiver->wait_until, memory_order_relaxed);
    if (until == 0)
        return 0;
    int64_t left = until - receiver->host->now(receiver->host);
    return left > 0 ? left : 0;
}

bool receiver_is_waiting(const struct receiver *receiver, char *reason, size_t size)
{
    if (wait_left(receiver) == 0)
        return false;
    (void)snprintf(reason, size, "%.200s has asked to wait %lld s, which are not over yet",
                   receiver->settings->url.name, (long long)atomic_load(&receiver->wait_seconds));
    return true;
}

/* ---- Suspects ----------------------------------------------------------------------------- */

static uint64_t hash_of(struct outbox_slice id)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (uint64_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.data[i]) * UINT64_C(1099511628211);
    return hash;
}

static struct suspect *find(struct receiver *receiver, uint64_t hash)
{
    for (size_t i = 0; i < SUSPECTS; i++) {
        if (receiver->suspects[i].losses > 0 && receiver->suspects[i].hash == hash)
            return &receiver->suspects[i];
    }
    return NULL;
}

/* In the place of the one that has been there longest. */
static struct suspect *add(struct receiver *receiver, uint64_t hash)
{
    struct suspect *suspect = &receiver->suspects[receiver->next_suspect];
    receiver->next_suspect = (receiver->next_suspect + 1) % SUSPECTS;
    if (suspect->losses == 0)
        (void)atomic_fetch_add(&receiver->suspect_count, 1);
    *suspect = (struct suspect){.hash = hash};
    return suspect;
}

bool receiver_suspect(struct receiver *receiver, struct outbox_slice id)
{
    uint64_t hash = hash_of(id), acked = atomic_load(&receiver->acked);
    (void)pthread_mutex_lock(&receiver->lock);
    struct suspect *suspect = find(receiver, hash);
    if (!suspect)
        suspect = add(receiver, hash);
    if (suspect->losses == 0 || suspect->acked_at != acked) {
        suspect->losses++;
        suspect->acked_at = acked;
    }
    bool is_to_blame = suspect->losses >= LOSSES_THAT_TELL;
    (void)pthread_mutex_unlock(&receiver->lock);
    return is_to_blame;
}

void receiver_trust(struct receiver *receiver, struct outbox_slice id)
{
    if (atomic_load_explicit(&receiver->suspect_count, memory_order_relaxed) == 0)
        return;
    (void)pthread_mutex_lock(&receiver->lock);
    struct suspect *suspect = find(receiver, hash_of(id));
    if (suspect) {
        suspect->losses = 0;
        (void)atomic_fetch_sub(&receiver->suspect_count, 1);
    }
    (void)pthread_mutex_unlock(&receiver->lock);
}
