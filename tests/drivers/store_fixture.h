/*
 * store_fixture.h - what tests of the store contract share: an open store, ways to look at it
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "store_contract.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { OPEN_CLAIMS_MAX = 16, EVENT_ID_SIZE = 37 };

/* What the tokens of "our" relays begin with. */
#define OWNER "contract/"

struct open_claim {
    int session;
    struct outbox_claim *claim;
};

/* A store with an empty table and two sessions. Everything still open is closed after the test. */
struct fixture {
    const struct store_contract *contract;
    const struct outbox_store_ops *ops;
    struct outbox_store *store;
    struct outbox_session *sessions[2];
    struct open_claim open[OPEN_CLAIMS_MAX];
    int enqueued; /* events that fixture_enqueue() has made */
    int claimed;  /* claims made, for tokens */
};

/* For cmocka: the test's initial state is the contract. */
int fixture_setup_lease(void **state);
int fixture_setup_lease_delete(void **state);
int fixture_setup_hold(void **state);
int fixture_setup_no_table(void **state); /* mode lease if it can; the table is not made */
int fixture_teardown(void **state);

/* The id of the nth event made by fixture_enqueue(), from 0. */
void fixture_id(char id[EVENT_ID_SIZE], int number);

/* Inserts that many events in one transaction, all due now. */
void fixture_enqueue(struct fixture *fixture, int count);

/* Claims from the oldest event on, so that finding nothing is final. The token is new. */
struct outbox_claim *fixture_claim(struct fixture *fixture, int session, uint64_t max_events);
struct outbox_claim *fixture_claim_payload(struct fixture *fixture, int session,
                                           uint64_t max_events, uint64_t max_payload);
struct outbox_claim *fixture_claim_as(struct fixture *fixture, int session, uint64_t max_events,
                                      const char *token);

/* A claim made otherwise, to be closed with the rest. */
void fixture_keep(struct fixture *fixture, int session, struct outbox_claim *claim);
void fixture_claim_close(struct fixture *fixture, int session, struct outbox_claim *claim);
void fixture_session_close(struct fixture *fixture, int session);
void fixture_session_reopen(struct fixture *fixture, int session);

/* Settles events first .. first+count-1 of a claim with one verdict; RETRY is due at once. */
struct outbox_settle_result fixture_settle(struct fixture *fixture, int session,
                                           struct outbox_claim *claim, uint64_t first,
                                           uint64_t count, enum outbox_verdict verdict);

/* Leases of "our" relays last 60 s, of others 600 s; the backoff is `base_delay` microseconds. */
struct outbox_reap_result fixture_reap(struct fixture *fixture, int session, int64_t max_attempts,
                                       int64_t base_delay);

/* Makes every lease that old. */
void fixture_age_leases(struct fixture *fixture, int64_t seconds);

/* Inserts a pending event with plain SQL, as a producer does. */
void fixture_insert_at(struct fixture *fixture, const char *id, int64_t seconds_from_now);

void fixture_execute(struct fixture *fixture, const char *format, ...) OUTBOX_PRINTF(2, 3);
int64_t fixture_count(struct fixture *fixture, const char *where);

/* One value of one event. */
void fixture_value(struct fixture *fixture, const char *id, const char *expression, char *answer,
                   size_t answer_size);
void fixture_expect(struct fixture *fixture, int number, const char *expression,
                    const char *expected);

/* locked_at if and only if DELIVERING, delivered_at if and only if DELIVERED, and so on. */
void fixture_check_invariants(struct fixture *fixture);

bool fixture_same(struct outbox_slice slice, const char *text);

/* Each room's tests, for store_contract_run(). */
extern const struct CMUnitTest contract_schema_tests[];
extern const size_t contract_schema_test_count;
extern const struct CMUnitTest contract_claim_tests[];
extern const size_t contract_claim_test_count;
extern const struct CMUnitTest contract_settle_tests[];
extern const size_t contract_settle_test_count;
extern const struct CMUnitTest contract_lease_tests[];
extern const size_t contract_lease_test_count;
extern const struct CMUnitTest contract_hold_tests[];
extern const size_t contract_hold_test_count;
extern const struct CMUnitTest contract_holders_tests[], contract_holders_hold_tests[];
extern const size_t contract_holders_test_count, contract_holders_hold_test_count;
extern const struct CMUnitTest contract_prune_tests[];
extern const size_t contract_prune_test_count;

/* A driver's own tests, whose initial state is the contract as well. Returns the failures. */
int contract_run_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                       const struct store_contract *contract);

#define CONTRACT_TEST(name, setup)                                                                 \
    {                                                                                              \
#name, name, setup, fixture_teardown, NULL                                                 \
    }

#endif
