/*
 * sqlite_fixture.c - a database file in a folder of its own, and eyes on the driver's connections
 * SPDX-License-Identifier: MIT
 *
 * The driver and this program share one libsqlite3, so that an automatic extension sees every
 * connection that the driver opens. It counts the work of their statements.
 */
#include "sqlite_fixture.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 8 };

/* Of the driver, since the database was last wiped. */
static struct {
    sqlite3 *connections[CONNECTIONS_MAX];
    int count;
    bool opening_own;
    _Atomic int64_t steps;
} watched;

static int count_steps(unsigned int kind, void *context, void *statement, void *elapsed)
{
    (void)kind;
    (void)context;
    (void)elapsed;
    watched.steps += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
    return 0;
}

static int watch_connection(sqlite3 *db, const char **error, const struct sqlite3_api_routines *api)
{
    (void)error;
    (void)api;
    if (watched.opening_own)
        return SQLITE_OK;
    if (watched.count < CONNECTIONS_MAX)
        watched.connections[watched.count++] = db;
    return sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, count_steps, NULL);
}

int64_t sqlite_steps(void)
{
    return watched.steps;
}

void sqlite_limit_pages(int pages)
{
    char sql[64];
    (void)snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%d", pages);
    for (int i = 0; i < watched.count; i++)
        assert_int_equal(sqlite3_exec(watched.connections[i], sql, NULL, NULL, NULL), SQLITE_OK);
}

/* ---- What the contract asks for ----------------------------------------------------------- */

static sqlite3 *connection(struct sqlite_database *database)
{
    if (!database->connection) {
        watched.opening_own = true;
        assert_int_equal(sqlite3_open(database->path, &database->connection), SQLITE_OK);
        watched.opening_own = false;
        assert_int_equal(sqlite3_busy_timeout(database->connection, 10000), SQLITE_OK);
    }
    return database->connection;
}

static void disconnect(struct sqlite_database *database)
{
    assert_int_equal(sqlite3_close(database->connection), SQLITE_OK);
    database->connection = NULL;
}

static void wipe(void *context)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal",
                                          "-openoutbox_events-held"};
    struct sqlite_database *database = context;
    disconnect(database);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        char path[160];
        (void)snprintf(path, sizeof(path), "%s%s", database->path, endings[i]);
        (void)unlink(path); /* most are not there */
    }
    watched.count = 0;
}

static void execute(void *context, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(connection(context), sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

static void query(void *context, const char *sql, char *answer, size_t answer_size)
{
    sqlite3_stmt *statement = NULL;
    sqlite3 *db = connection(context);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    answer[0] = '\0';
    if (sqlite3_step(statement) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        (void)snprintf(answer, answer_size, "%s", text ? text : "NULL");
    }
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
}

static void instant(char *sql, size_t sql_size, int64_t seconds)
{
    (void)snprintf(sql, sql_size, "strftime('%%Y-%%m-%%d %%H:%%M:%%f','now','%lld seconds')",
                   (long long)seconds);
}

static void bytes(char *sql, size_t sql_size, const void *data, size_t len)
{
    size_t at = (size_t)snprintf(sql, sql_size, "x'");
    assert_true(len * 2 + 4 <= sql_size);
    for (size_t i = 0; i < len; i++)
        at += (size_t)snprintf(sql + at, sql_size - at, "%02x", ((const unsigned char *)data)[i]);
    (void)snprintf(sql + at, sql_size - at, "'");
}

void sqlite_database_open(struct sqlite_database *database, struct store_contract *contract,
                          const struct outbox_plugin *plugin)
{
    *database = (struct sqlite_database){.connection = NULL};
    const char *base = getenv("TMPDIR");
    int len = snprintf(database->folder, sizeof(database->folder), "%s/outbox-XXXXXX",
                       base ? base : "/tmp");
    if (len >= (int)sizeof(database->folder) || !mkdtemp(database->folder)) {
        (void)fprintf(stderr, "cannot make a folder in %s\n", base ? base : "/tmp");
        exit(2);
    }
    (void)snprintf(database->path, sizeof(database->path), "%s/outbox.db", database->folder);
    (void)snprintf(database->url, sizeof(database->url), "sqlite:%s", database->path);
    database->values[0] = (struct contract_value){.name = "url", .text = database->url};
    *contract = (struct store_contract){
        .plugin = plugin,
        .values = database->values,
        .value_count = 1,
        .table = "openoutbox_events",
        .context = database,
        .wipe = wipe,
        .execute = execute,
        .query = query,
        .instant = instant,
        .bytes = bytes,
    };
    (void)sqlite3_auto_extension((void (*)(void))watch_connection);
}

void sqlite_database_close(struct sqlite_database *database)
{
    wipe(database);
    sqlite3_reset_auto_extension();
    if (rmdir(database->folder) != 0)
        perror(database->folder);
}

/* ---- What tests ask for ------------------------------------------------------------------- */

const char *sqlite_path(const struct fixture *fixture)
{
    return ((const struct sqlite_database *)fixture->contract->context)->path;
}

void sqlite_disconnect(struct fixture *fixture)
{
    disconnect(fixture->contract->context);
}

static void ignore_line(void *context, uint32_t level, const char *text)
{
    (void)context;
    (void)level;
    (void)text;
}

void sqlite_apply(struct fixture *fixture, int session)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    contract_ok(fixture->ops->schema(fixture->store, fixture->sessions[session],
                                     OUTBOX_SCHEMA_APPLY, ignore_line, NULL, &error),
                &error);
}

static int setup_with_timeout(void **state, const char *busy_timeout)
{
    static struct contract_value values[2];
    static struct store_contract contract;
    contract = *(const struct store_contract *)*state;
    values[0] = contract.values[0];
    values[1] = (struct contract_value){.name = "busy_timeout", .text = busy_timeout};
    contract.values = values;
    contract.value_count = 2;
    *state = &contract;
    return fixture_setup_lease(state);
}

int sqlite_setup_impatient(void **state)
{
    return setup_with_timeout(state, "50ms");
}

int sqlite_setup_patient(void **state)
{
    return setup_with_timeout(state, "1h");
}
