/*
 * test_store_mysql.c - the store contract on MySQL or MariaDB, and what is their own
 * SPDX-License-Identifier: MIT
 *
 * The server's address comes in OUTBOX_TEST_MYSQL_URL, for a user who may do everything. The
 * database is the tests' own: tables are dropped in it and other sessions ended.
 */
#include "mysql_fixture.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    const char *url = getenv("OUTBOX_TEST_MYSQL_URL");
    if (argc != 2 || !url) {
        (void)fprintf(stderr, "OUTBOX_TEST_MYSQL_URL=URL %s store-mysql.so\n", argv[0]);
        return argc == 2 ? 77 : 2;
    }
    const struct outbox_plugin *plugin = contract_load(argv[1]);
    struct server server;
    if (!server_open(&server, url)) {
        (void)fprintf(stderr, "no server is reached at OUTBOX_TEST_MYSQL_URL\n");
        return 1;
    }
    const struct contract_value address = {.name = "url", .text = url};
    struct store_contract contract;
    mysql_contract(&contract, &server, &address, plugin);
    int failures = store_contract_run(&contract);
    failures += contract_run_tests("MySQL", mysql_cost_tests, mysql_cost_test_count, &contract);
    server_close(&server);
    return failures == 0 ? 0 : 1;
}
