/*
 * held.h - failed events that are held back in memory, where the table cannot put them off
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_HELD_H
#define STORE_SQLITE_HELD_H

#include "claim.h"

/* How many events may be claimed so that all of them can fail; says once that there is no room. */
uint64_t held_room(struct outbox_session *session);

/* What is held back is not due. */
void held_recount(const struct outbox_session *session, struct outbox_store_stats *stats);

bool held_back(const struct outbox_session *session, const struct claimed_row *row);

/* How often it has failed, where the table does not count that. */
int64_t held_attempts(const struct outbox_session *session, const struct claimed_row *row);

/* After the commit: what failed is held back, what is done is forgotten. */
void held_settled(const struct outbox_session *session, const struct outbox_settle_request *settle);

#endif
