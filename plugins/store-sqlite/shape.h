/*
 * shape.h - what the table in the database is like, and what can be done with it
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_SHAPE_H
#define STORE_SQLITE_SHAPE_H

#include "columns.h"

struct outbox_session;
struct outbox_store;

enum { STATE_LITERAL_MAX = STATE_TEXT_MAX + 2 };

struct shape {
    bool exists;
    bool is_table; /* not a view, not virtual */
    bool has_rowid;
    bool has[ROLE_COUNT];
    bool generated[ROLE_COUNT]; /* what an INSERT must not name */
    bool id_is_blob;            /* event_id is declared to hold bytes */
    bool id_is_number;
    bool payload_is_text; /* payload is declared to hold text */
    bool rowid_is_stable; /* an INTEGER PRIMARY KEY: VACUUM keeps the row numbers */
    bool id_is_rowid;     /* and event_id is that */
    bool seq_is_rowid;    /* or seq */
    uint32_t error_chars; /* for how many last_error is declared; 0: no bound */
    enum role order;      /* what claims go by, behind available_at; ROLE_NONE: the row number */
    char state[STATE_COUNT][STATE_LITERAL_MAX + 1]; /* as literals; "": the table has no such */
    char problems[1024];  /* what stops relaying, a line each; "": nothing does */
    bool lease;           /* the store's mode */
    bool holds_back;      /* failed events are remembered in memory */
    bool writes_failures; /* a retry changes the row */
};

/* Whether the configuration says that the table has it, and cannot be relayed from without. */
bool shape_requires(const struct outbox_store *store, enum role role);

/* Whether an event can be marked as dead. */
static inline bool shape_buries(const struct shape *shape)
{
    return shape->state[STATE_DEAD][0] != '\0';
}

/* Whether rows can be leased in it, by whatever relay. */
bool shape_leases(const struct shape *shape);

/* Since when an event in that state is finished; ROLE_NONE if the table does not tell. */
enum role shape_finished(const struct shape *shape, enum state state);

/* The shape of the table that `init` makes. */
void shape_wanted(const struct outbox_store *store, struct shape *shape);

/* Reads it into session->shape, which is valid then, also when the table is missing. */
enum outbox_status session_read_shape(struct outbox_session *session,
                                      struct outbox_error *error) OUTBOX_MUST_USE;

/* As session_read_shape() once a session, and SCHEMA with the remedy if events cannot be relayed
 * from the table. */
enum outbox_status session_require_shape(struct outbox_session *session,
                                         struct outbox_error *error) OUTBOX_MUST_USE;

#endif
