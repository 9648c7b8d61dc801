/*
 * mysql_fixture.h - a MySQL or MariaDB for tests: looking behind the driver's back, opening stores
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_MYSQL_FIXTURE_H
#define TESTS_MYSQL_FIXTURE_H

#include "store_fixture.h"

#include <mysql.h>

struct server {
    MYSQL *client;
    const char *url;
    char user[64], password[64], host[128], database[64], socket[128];
    unsigned port;
    bool is_mariadb;
    unsigned long version;
    bool plain_ids; /* statements have ids as the table has them, not as the contract writes them */
};

/* False if the url is not understood or the server cannot be reached. */
bool server_open(struct server *server, const char *url);
void server_close(struct server *server);

void mysql_contract(struct store_contract *contract, struct server *server,
                    const struct contract_value *url, const struct outbox_plugin *plugin);

struct server *server_of(const struct fixture *fixture);

/* Another connection to it. */
MYSQL *connect_aside(struct fixture *fixture);

/* Fails the test if the statement fails. */
void run_sql(MYSQL *client, const char *sql);

/* The server's address for a user; `parameters` is "" or begins with '?'. */
void address_for(struct fixture *fixture, char url[1024], const char *login,
                 const char *parameters);

/* The first value that `sql` answers, now or (soon) within half a minute, for what another process
 * does in its own time. */
void expect(struct fixture *fixture, const char *sql, const char *expected);
void expect_soon(struct fixture *fixture, const char *sql, const char *expected);

/* A clock that stands still until it is moved: the driver's looks below its watermark are paced by
 * it. */
extern _Atomic int64_t stopped_clock;
int64_t stopped_now(const struct outbox_host *host);

/* What the driver has counted under "deadlocks". */
extern _Atomic int64_t deadlocks;

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
enum outbox_status try_session(struct opened *opened, struct outbox_error *error);

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

/* Settles the first event of a claim and gives the claim back. */
void settle_first(struct opened *opened, struct outbox_claim *claim, enum outbox_verdict verdict,
                  struct outbox_slice reason);

/* For schema(): all lines, and how many of each level. */
struct findings {
    char text[8192];
    int errors, warnings, lines;
};
void keep_finding(void *context, uint32_t level, const char *text);
enum outbox_status act(struct opened *opened, uint32_t action, struct findings *findings);

/* The driver's own tests, a list a file. */
extern const struct CMUnitTest mysql_cost_tests[];
extern const size_t mysql_cost_test_count;

#endif
