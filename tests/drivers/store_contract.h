/*
 * store_contract.h - what every store driver must do, as tests that run against any of them
 * SPDX-License-Identifier: MIT
 *
 * A driver's own test program describes how to reach its database and hands that to
 * store_contract_run(). The table has the columns of the openoutbox layout; the tests look at its
 * rows behind the driver's back, through `execute` and `query`.
 */
#ifndef TESTS_STORE_CONTRACT_H
#define TESTS_STORE_CONTRACT_H

#include <outbox/plugin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value for one key of the driver's option table; every other key has its default. A MAP takes
 * `pairs`, everything else is written as in a configuration file ("5s", "true", "1MiB"). */
struct contract_value {
    const char *name;
    const char *text;
    const struct outbox_pair *pairs;
    uint64_t pair_count;
};

struct store_contract {
    const struct outbox_plugin *plugin;
    const struct contract_value *values; /* at least the address */
    size_t value_count;
    const char *table; /* as SQL names it: "openoutbox_events" */
    void *context;

    /* Leaves a database in which the table does not exist. Called before each test, with no session
     * open; must not wait for locks of a test that failed longer than a few seconds. */
    void (*wipe)(void *context);

    /* Runs one statement on a connection of its own; fails the test if the statement fails. */
    void (*execute)(void *context, const char *sql);

    /* First column of the first row, as text; "NULL" for SQL NULL, "" for no row. */
    void (*query)(void *context, const char *sql, char *answer, size_t answer_size);

    /* Writes an SQL expression: the database's present moment plus `seconds` (may be negative). */
    void (*instant)(char *sql, size_t sql_size, int64_t seconds);

    /* Writes an SQL literal of bytes for the payload column. */
    void (*bytes)(char *sql, size_t sql_size, const void *data, size_t len);
};

/* Runs every behaviour that the driver's capabilities promise; returns the number of failures, as
 * cmocka's group runner does. */
int store_contract_run(const struct store_contract *contract);

/* ---- What a driver's own tests need as well ----------------------------------------------- */

/* A host that logs to standard error and counts nothing. */
const struct outbox_host *contract_host(void);

/* Loads a driver as the relay does; ends the program with a message if it cannot. */
const struct outbox_plugin *contract_load(const char *path);

/* Settings as the relay would hand them over. Freed with contract_settings_free(). */
struct contract_settings {
    struct outbox_settings settings;
    struct outbox_setting *values;
};

bool contract_settings_init(struct contract_settings *made, const struct outbox_plugin *plugin,
                            const struct contract_value *values, size_t value_count);
void contract_settings_free(struct contract_settings *made);

/* Opens a store of `plugin` in `mode`. Fails the test if it cannot. */
struct outbox_store *contract_store_open(const struct outbox_plugin *plugin,
                                         const struct contract_value *values, size_t value_count,
                                         uint32_t mode, bool delete_delivered);

/* Opens a session within 10 s. Fails the test if it cannot. */
struct outbox_session *contract_session_open(const struct outbox_plugin *plugin,
                                             struct outbox_store *store);

/* Fails the test, printing the error, unless `status` is OUTBOX_OK. */
#define contract_ok(status, error) contract_ok_at((status), (error), __FILE__, __LINE__)
void contract_ok_at(enum outbox_status status, const struct outbox_error *error, const char *file,
                    int line);

#endif
