/*
 * ops.h - the ops that stand alone, each in a file of its name; see <outbox/store.h>
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_OPS_H
#define STORE_SQLITE_OPS_H

#include "session.h"

enum outbox_status store_reap(struct outbox_session *session,
                              const struct outbox_reap_request *request,
                              struct outbox_reap_result *result, struct outbox_error *error);
enum outbox_status store_enqueue(struct outbox_session *session,
                                 const struct outbox_enqueue_request *request,
                                 struct outbox_error *error);
enum outbox_status store_stats(struct outbox_session *session, struct outbox_store_stats *stats,
                               struct outbox_error *error);
enum outbox_status store_prune(struct outbox_session *session,
                               const struct outbox_prune_request *request,
                               struct outbox_prune_result *result, struct outbox_error *error);
enum outbox_status store_holders(struct outbox_session *session, outbox_holder_seen *emit,
                                 void *context, uint32_t *partial, struct outbox_error *error);
enum outbox_status store_schema(struct outbox_store *store, struct outbox_session *session,
                                uint32_t action, outbox_schema_line *emit, void *context,
                                struct outbox_error *error);

#endif
