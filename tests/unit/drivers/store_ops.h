/*
 * store_ops.h - a store's operations that can be asked for and do nothing
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_STORE_OPS_H
#define TESTS_STORE_OPS_H

#include <outbox/plugin.h>

static enum outbox_status sample_open(const struct outbox_host *host,
                                      const struct outbox_store_config *config,
                                      struct outbox_store **store, struct outbox_error *error)
{
    (void)host, (void)config, (void)store;
    return outbox_fail(error, OUTBOX_UNSUPPORTED, "", "open a store that is only a sample");
}

static void sample_close(struct outbox_store *store)
{
    (void)store;
}

static enum outbox_status sample_session_open(struct outbox_store *store, int64_t deadline,
                                              struct outbox_session **session,
                                              struct outbox_error *error)
{
    (void)store, (void)deadline, (void)session, (void)error;
    return OUTBOX_UNSUPPORTED;
}

static void sample_session_close(struct outbox_session *session)
{
    (void)session;
}

static enum outbox_status sample_ping(struct outbox_session *session, struct outbox_error *error)
{
    (void)session, (void)error;
    return OUTBOX_OK;
}

static enum outbox_status sample_schema(struct outbox_store *store, struct outbox_session *session,
                                        uint32_t action, outbox_schema_line *emit, void *context,
                                        struct outbox_error *error)
{
    (void)store, (void)session, (void)action, (void)emit, (void)context, (void)error;
    return OUTBOX_OK;
}

static enum outbox_status sample_claim(struct outbox_session *session,
                                       const struct outbox_claim_request *request,
                                       struct outbox_claim **claim, struct outbox_error *error)
{
    (void)session, (void)request, (void)claim, (void)error;
    return OUTBOX_UNSUPPORTED;
}

static enum outbox_status sample_settle(struct outbox_session *session,
                                        const struct outbox_settle_request *settle,
                                        struct outbox_settle_result *result,
                                        struct outbox_error *error)
{
    (void)session, (void)settle, (void)result, (void)error;
    return OUTBOX_UNSUPPORTED;
}

static void sample_claim_close(struct outbox_session *session, struct outbox_claim *claim)
{
    (void)session, (void)claim;
}

static inline enum outbox_status sample_abandon(struct outbox_session *session,
                                                struct outbox_claim *claim,
                                                struct outbox_error *error)
{
    (void)session, (void)claim, (void)error;
    return OUTBOX_OK;
}

static inline enum outbox_status sample_renew(struct outbox_session *session,
                                              struct outbox_slice token, uint64_t expected,
                                              struct outbox_settle_result *result,
                                              struct outbox_error *error)
{
    (void)session, (void)token, (void)expected, (void)result, (void)error;
    return OUTBOX_OK;
}

static inline enum outbox_status sample_reap(struct outbox_session *session,
                                             const struct outbox_reap_request *request,
                                             struct outbox_reap_result *result,
                                             struct outbox_error *error)
{
    (void)session, (void)request, (void)result, (void)error;
    return OUTBOX_OK;
}

/* What every store must have, but its size. */
#define SAMPLE_STORE_OPS                                                                           \
    .open = sample_open, .close = sample_close, .session_open = sample_session_open,               \
    .session_close = sample_session_close, .ping = sample_ping, .schema = sample_schema,           \
    .claim = sample_claim, .settle = sample_settle, .claim_close = sample_claim_close

#endif
