/*
 * postgres_fixture.h - a PostgreSQL for tests: looking behind the driver's back, opening stores
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_POSTGRES_FIXTURE_H
#define TESTS_POSTGRES_FIXTURE_H

#include "store_fixture.h"

#include <libpq-fe.h>

/* What every session of a store opened here is called in pg_stat_activity. */
#define SESSION_NAME "outbox-relay tests"

struct server {
    PGconn *conn;
    const char *url;
};

void postgres_contract(struct store_contract *contract, struct server *server,
                       const struct contract_value *url, const struct outbox_plugin *plugin);

/* Fails the test if the statement fails; the caller clears the result. */
PGresult *run_sql(PGconn *conn, const char *sql);

/* The first value that `sql` answers, now or (soon) within half a minute, for what another process
 * does in its own time. */
void expect(struct fixture *fixture, const char *sql, const char *expected);
void expect_soon(struct fixture *fixture, const char *sql, const char *expected);

/* A clock that stands still until it is moved: the driver's looks below its watermark are paced by
 * it. */
extern _Atomic int64_t stopped_clock;
int64_t stopped_now(const struct outbox_host *host);

/* A store opened otherwise than the contract does. Stays where it is: the driver knows its host. */
struct opened {
    const struct outbox_store_ops *ops;
    struct outbox_host host;
    struct outbox_store *store;
    struct outbox_session *session;
    int claims;
};

enum outbox_status try_open(struct fixture *fixture, struct opened *opened,
                            const struct contract_value *values, size_t count, uint32_t mode,
                            struct outbox_error *error);

/* With the contract's address and `more` settings, and a session. */
void open_with(struct fixture *fixture, struct opened *opened, const struct contract_value *more,
               size_t count, uint32_t mode);
void close_opened(struct opened *opened);

/* From the watermark on. */
enum outbox_status try_claim(struct opened *opened, uint64_t max_events,
                             struct outbox_claim **claim, struct outbox_error *error);
struct outbox_claim *claim_from(struct opened *opened, uint64_t max_events);

/* Settles a whole claim as delivered and gives it back; returns how many were settled. */
enum outbox_status try_deliver(struct opened *opened, struct outbox_claim *claim, uint64_t *settled,
                               struct outbox_error *error);
uint64_t deliver(struct opened *opened, struct outbox_claim *claim);

/* For schema(): keeps the last line in a text of 200 bytes. */
void keep_last(void *context, uint32_t level, const char *text);

/* The driver's own tests, a list a file. */
extern const struct CMUnitTest postgres_table_tests[];
extern const size_t postgres_table_test_count;
extern const struct CMUnitTest postgres_fault_tests[];
extern const size_t postgres_fault_test_count;
extern const struct CMUnitTest postgres_right_tests[];
extern const size_t postgres_right_test_count;

#endif
