/*
 * forbidden.c - the subjects that a server of core NATS has lately refused
 * SPDX-License-Identifier: MIT
 */
#include "forbidden.h"

#include <stdio.h>
#include <string.h>

/* So long a right that was granted meanwhile is not noticed. */
#define KEPT_FOR INT64_C(30000000000)
/* The library keeps the first part of a long error. */
#define SURELY_WHOLE 150

bool forbidden_names(const char *subject, struct outbox_slice topic)
{
    size_t len = strlen(subject);
    return (topic.len == len || (len > SURELY_WHOLE && topic.len > len)) &&
           memcmp(topic.data, subject, len) == 0;
}

void forbidden_add(struct forbidden *forbidden, const char *subject, int64_t now)
{
    unsigned slot = forbidden->next;
    for (unsigned i = 0; i < forbidden->count; i++) {
        if (strcmp(forbidden->entries[i].subject, subject) == 0)
            slot = i;
    }
    (void)snprintf(forbidden->entries[slot].subject, FORBIDDEN_SIZE, "%s", subject);
    forbidden->entries[slot].until = now + KEPT_FOR;
    if (slot != forbidden->next)
        return;
    forbidden->next = (slot + 1) % FORBIDDEN_KEPT;
    if (forbidden->count < FORBIDDEN_KEPT)
        forbidden->count++;
}

bool forbidden_has(const struct forbidden *forbidden, struct outbox_slice topic, int64_t now)
{
    for (unsigned i = 0; i < forbidden->count; i++) {
        if (forbidden->entries[i].until > now &&
            forbidden_names(forbidden->entries[i].subject, topic))
            return true;
    }
    return false;
}
