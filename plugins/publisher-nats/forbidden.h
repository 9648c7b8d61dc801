/*
 * forbidden.h - the subjects that a server of core NATS has lately refused
 * SPDX-License-Identifier: MIT
 *
 * Core NATS tells of a refusal by one subject for the whole round trip, and costs the connection
 * for it. Events of a subject that is known are put off instead of being sent, so that each costs
 * that once in a while, however many events it has. Used by one thread.
 */
#ifndef PUBLISHER_NATS_FORBIDDEN_H
#define PUBLISHER_NATS_FORBIDDEN_H

#include <outbox/types.h>
#include <stdbool.h>
#include <stdint.h>

enum { FORBIDDEN_KEPT = 64, FORBIDDEN_SIZE = 256 };

struct forbidden {
    unsigned count, next; /* entries in use; the one that is overwritten next */
    struct {
        char subject[FORBIDDEN_SIZE];
        int64_t until;
    } entries[FORBIDDEN_KEPT];
};

/* Whether an error that names `subject`, of which the library may have kept the start alone, is
 * about this topic. */
bool forbidden_names(const char *subject, struct outbox_slice topic);

void forbidden_add(struct forbidden *forbidden, const char *subject, int64_t now);
bool forbidden_has(const struct forbidden *forbidden, struct outbox_slice topic, int64_t now);

#endif
