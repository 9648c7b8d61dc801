/*
 * served.c - the subjects of which a stream has lately acknowledged something
 * SPDX-License-Identifier: MIT
 */
#include "served.h"

/* Longer than an outage usually is; a stream that was deleted counts as one for so long. */
#define KEPT_FOR INT64_C(1200000000000)

/* FNV-1a. */
static uint64_t hash_of(struct outbox_slice text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (uint64_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(1099511628211);
    return hash;
}

void served_add(struct served *served, struct outbox_slice subject, int64_t now)
{
    uint64_t hash = hash_of(subject);
    served->subjects[hash % SERVED_KEPT].hash = hash;
    served->subjects[hash % SERVED_KEPT].until = now + KEPT_FOR;
}

bool served_has(const struct served *served, struct outbox_slice subject, int64_t now)
{
    uint64_t hash = hash_of(subject);
    return served->subjects[hash % SERVED_KEPT].hash == hash &&
           served->subjects[hash % SERVED_KEPT].until > now;
}
