/*
 * sqlite_fixture.h - a database file in a folder of its own, and eyes on the driver's connections
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SQLITE_FIXTURE_H
#define TESTS_SQLITE_FIXTURE_H

#include "store_fixture.h"

#include <sqlite3.h>

struct sqlite_database {
    char folder[64], path[128], url[160];
    struct contract_value values[1];
    sqlite3 *connection; /* the tests' own; NULL until it is needed */
};

/* Makes the folder and describes the database in it. */
void sqlite_database_open(struct sqlite_database *database, struct store_contract *contract,
                          const struct outbox_plugin *plugin);
void sqlite_database_close(struct sqlite_database *database);

const char *sqlite_path(const struct fixture *fixture);

/* As fixture_setup_lease, with a busy_timeout of 50 ms, or of an hour. */
int sqlite_setup_impatient(void **state);
int sqlite_setup_patient(void **state);

/* Makes the table, as `init` does. */
void sqlite_apply(struct fixture *fixture, int session);

/* Closes the tests' own connection; the next statement opens another. */
void sqlite_disconnect(struct fixture *fixture);

/* Steps of SQLite's virtual machine that the driver's statements have taken since the start: what a
 * statement costs, with no clock. */
int64_t sqlite_steps(void);

/* Keeps the driver's connections from making the database larger. */
void sqlite_limit_pages(int pages);

extern const struct CMUnitTest sqlite_table_tests[];
extern const size_t sqlite_table_test_count;
extern const struct CMUnitTest sqlite_hold_tests[];
extern const size_t sqlite_hold_test_count;

#endif
