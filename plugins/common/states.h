/*
 * states.h - what a table's status column holds for each state of an event
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_STATES_H
#define PLUGINS_COMMON_STATES_H

#include "buffer.h"

enum state { STATE_PENDING, STATE_DELIVERING, STATE_DELIVERED, STATE_DEAD, STATE_COUNT };

enum { STATE_TEXT_MAX = 63 };

struct states {
    char text[STATE_COUNT][STATE_TEXT_MAX + 1]; /* "": the table has no such state */
};

/* How a literal is written. */
enum state_kind { STATE_AS_TEXT, STATE_AS_INTEGER };

/* Those of the layouts. */
extern const struct states states_openoutbox; /* PENDING, DELIVERING, DELIVERED, DEAD */
extern const struct states states_velmie;     /* 0, none, 1, -1 */

/* "PENDING", and so on. */
const char *state_name(enum state state);

/* Reads the map {"pending": "new", "delivered": "sent"} in place of the openoutbox words. A state
 * that it leaves out the table does not have; "pending" it must name. INVALID says what is wrong.
 */
enum outbox_status states_parse(struct states *states, const struct outbox_setting *map,
                                struct outbox_error *error) OUTBOX_MUST_USE;

bool states_have(const struct states *states, enum state state);

/* True if every state can stand in a column of that kind, else `*misfit` is one that cannot. */
bool states_fit(const struct states *states, enum state_kind kind,
                enum state *misfit) OUTBOX_MUST_USE;

/* Appends the SQL literal of a state that the table has and that fits. */
void states_literal(const struct states *states, enum state state, enum state_kind kind,
                    struct buffer *sql);

#endif
