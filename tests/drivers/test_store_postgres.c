/*
 * test_store_postgres.c - the store contract on PostgreSQL, and what is PostgreSQL's own
 * SPDX-License-Identifier: MIT
 *
 * The server's address comes in OUTBOX_TEST_POSTGRES_URL. The database is the tests' own: tables
 * are dropped in it and other sessions ended.
 */
#include "postgres_fixture.h"

#include <stdlib.h>

static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

int main(int argc, char **argv)
{
    const char *url = getenv("OUTBOX_TEST_POSTGRES_URL");
    if (argc != 2 || !url) {
        (void)fprintf(stderr, "OUTBOX_TEST_POSTGRES_URL=URL %s store-postgres.so\n", argv[0]);
        return argc == 2 ? 77 : 2;
    }
    struct server server = {PQconnectdb(url), url};
    if (PQstatus(server.conn) != CONNECTION_OK) {
        (void)fprintf(stderr, "%s", PQerrorMessage(server.conn));
        return 1;
    }
    (void)PQsetNoticeProcessor(server.conn, ignore_notice, NULL);
    const struct contract_value address = {.name = "url", .text = url};
    struct store_contract contract;
    postgres_contract(&contract, &server, &address, contract_load(argv[1]));
    int failures = store_contract_run(&contract);
    failures += contract_run_tests("tables of PostgreSQL", postgres_table_tests,
                                   postgres_table_test_count, &contract);
    failures += contract_run_tests("faults of PostgreSQL", postgres_fault_tests,
                                   postgres_fault_test_count, &contract);
    failures += contract_run_tests("rights in PostgreSQL", postgres_right_tests,
                                   postgres_right_test_count, &contract);
    PQfinish(server.conn);
    return failures == 0 ? 0 : 1;
}
