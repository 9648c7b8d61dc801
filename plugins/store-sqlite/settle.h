/*
 * settle.h - outcomes written back, leases renewed
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_SETTLE_H
#define STORE_SQLITE_SETTLE_H

#include "session.h"

/* Ops of the ABI, see <outbox/store.h>. */
enum outbox_status store_settle(struct outbox_session *session,
                                const struct outbox_settle_request *settle,
                                struct outbox_settle_result *result, struct outbox_error *error);
enum outbox_status store_settle_and_claim(struct outbox_session *session,
                                          const struct outbox_settle_request *settle,
                                          struct outbox_settle_result *result,
                                          const struct outbox_claim_request *request,
                                          struct outbox_claim **claim, struct outbox_error *error);
enum outbox_status store_renew(struct outbox_session *session, struct outbox_slice token,
                               uint64_t expected, struct outbox_settle_result *result,
                               struct outbox_error *error);

#endif
