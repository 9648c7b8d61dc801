/*
 * exchanges.c - what is known of exchanges, so that a bad one is met by one message alone
 * SPDX-License-Identifier: MIT
 */
#include "exchanges.h"

#include <stdlib.h>

static bool is_called(const struct exchange *exchange, struct outbox_slice name)
{
    return exchange->name_len == name.len && memcmp(exchange->name, name.data, name.len) == 0;
}

static uint16_t *bucket_of(struct exchanges *exchanges, struct outbox_slice name)
{
    uint32_t hash = 2166136261u;
    for (uint64_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 16777619u;
    return &exchanges->buckets[(hash ^ (hash >> 16)) % EXCHANGES_BUCKETS];
}

static void forget(struct exchanges *exchanges, uint64_t at)
{
    struct exchange *exchange = &exchanges->known[at];
    uint16_t *link =
        bucket_of(exchanges, (struct outbox_slice){exchange->name, exchange->name_len});
    while (*link != at + 1)
        link = &exchanges->known[*link - 1].next;
    *link = exchange->next;
    free(exchange->reason);
}

/* A place for one more. */
static uint64_t free_place(struct exchanges *exchanges)
{
    if (exchanges->count < EXCHANGES_KNOWN)
        return exchanges->count++;
    uint64_t at = exchanges->oldest;
    exchanges->oldest = (at + 1) % EXCHANGES_KNOWN;
    forget(exchanges, at);
    return at;
}

struct exchange *exchanges_find(struct exchanges *exchanges, struct outbox_slice name)
{
    if (exchanges->count > 0 && is_called(&exchanges->known[exchanges->last], name))
        return &exchanges->known[exchanges->last];
    uint16_t *bucket = bucket_of(exchanges, name);
    for (uint16_t number = *bucket; number; number = exchanges->known[number - 1].next) {
        exchanges->last = number - 1u;
        if (is_called(&exchanges->known[exchanges->last], name))
            return &exchanges->known[exchanges->last];
    }
    exchanges->last = free_place(exchanges); /* which may change the bucket */
    struct exchange *exchange = &exchanges->known[exchanges->last];
    *exchange = (struct exchange){.name_len = (uint8_t)name.len, .next = *bucket};
    memcpy(exchange->name, name.data, name.len);
    *bucket = (uint16_t)(exchanges->last + 1);
    return exchange;
}

void exchange_set_bad(struct exchange *exchange, int64_t until, enum outbox_outcome outcome,
                      const char *reason)
{
    free(exchange->reason);
    exchange->reason = strdup(reason);
    /* Without memory for the reason the next message meets the broker's own again. */
    exchange->state = exchange->reason ? EXCHANGE_BAD : EXCHANGE_UNKNOWN;
    exchange->until = until;
    exchange->outcome = outcome;
}

void exchanges_doubt(struct exchanges *exchanges)
{
    for (uint64_t i = 0; i < exchanges->count; i++) {
        if (exchanges->known[i].state == EXCHANGE_GOOD)
            exchanges->known[i].state = EXCHANGE_UNKNOWN;
    }
}

void exchanges_clear(struct exchanges *exchanges)
{
    for (uint64_t i = 0; i < exchanges->count; i++)
        free(exchanges->known[i].reason);
    exchanges->count = 0;
}
