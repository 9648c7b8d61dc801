/*
 * holders.h - who works at a table: the relays that hold events of it
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_HOLDERS_H
#define CORE_HOLDERS_H

#include <jansson.h>
#include <outbox/store.h>
#include <stdbool.h>

#define HOLDERS_MAX 32 /* that are told apart; those that hold the longest */
#define HOLDER_NAME 160

/* A relay with all its claims. */
struct holder {
    char name[HOLDER_NAME]; /* a relay's id; the token of what is none of this make, cut to fit;
                               "": the table names nobody */
    bool is_relay;          /* of this make */
    bool is_self;
    uint64_t events, claims;
    int64_t held_for; /* microseconds, of the event that is held longest; -1: not known */
};

struct holders {
    bool looked;               /* else nothing of what follows is known */
    enum outbox_status status; /* OK, or why the list is empty, with the reason */
    char reason[sizeof(((struct outbox_error *)NULL)->text)];
    bool partial; /* there may be more */
    size_t count;
    struct holder list[HOLDERS_MAX];
};

/* Asks the store, through a session that the caller uses. `relay_id` is this relay's, NULL: this is
 * none. UNSUPPORTED also where the driver has no such op. */
enum outbox_status holders_read(struct holders *holders, const struct outbox_store_ops *ops,
                                struct outbox_session *session, const char *relay_id,
                                struct outbox_error *error) __attribute__((warn_unused_result));

/* As /stats and the command `stats` show it; NULL if memory ran out. */
json_t *holders_json(const struct holders *holders);

#endif
