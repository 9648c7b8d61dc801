/*
 * plan.h - how SQLite would run a statement
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_PLAN_H
#define STORE_SQLITE_PLAN_H

#include "session.h"

/* Whether the statement finds its rows by an index, in the index's order, so that its cost does not
 * grow with the table. */
enum outbox_status plan_is_indexed(struct outbox_session *session, enum statement id, bool *indexed,
                                   struct outbox_error *error) __attribute__((warn_unused_result));

#endif
