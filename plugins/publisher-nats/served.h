/*
 * served.h - the subjects of which a stream has lately acknowledged something
 * SPDX-License-Identifier: MIT
 *
 * A server that has no stream for a subject and one whose stream is about to stop, has just started
 * or lacks a leader answer alike. What was there a while ago is an outage, and charged to no event.
 * Used by one thread. A subject may be forgotten early, in favour of another one.
 */
#ifndef PUBLISHER_NATS_SERVED_H
#define PUBLISHER_NATS_SERVED_H

#include <outbox/types.h>
#include <stdbool.h>
#include <stdint.h>

enum { SERVED_KEPT = 1024 };

struct served {
    struct {
        uint64_t hash;
        int64_t until;
    } subjects[SERVED_KEPT];
};

void served_add(struct served *served, struct outbox_slice subject, int64_t now);
bool served_has(const struct served *served, struct outbox_slice subject, int64_t now);

#endif
