/*
 * failure.c - what a failure of the client library or of the server means to the relay
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

/* Numbers that only one of the two makes of the server knows have no name in the other's headers.
 */
enum {
    MARIADB_CONSTRAINT = 4025,
    MARIADB_STATEMENT_TIMEOUT = 1969,
    MARIADB_READ_ONLY = 1836,
    MYSQL_CHECK_VIOLATED = 3819,
    MYSQL_INVALID_JSON = 3140,
    MYSQL_INVALID_JSON_CHARSET = 3144,
    MYSQL_CANNOT_CONVERT_STRING = 3988,
    MYSQL_QUERY_TIMEOUT = 3024,
    MYSQL_SHUTTING_DOWN = 1053,
    MYSQL_CLIENT_TOO_IDLE = 4031,
    MYSQL_REQUIRE_SECURE = 3159,
    MYSQL_LOCKED_ACCOUNT = 3118,
    MYSQL_ACCESS_DENIED_BY_PLUGIN = 1698,
    MYSQL_PASSWORD_EXPIRED = 1820,
    MYSQL_PASSWORD_EXPIRED_LOGIN = 1862,
    MARIADB_ACCOUNT_LOCKED = 4151,
    SERVER_RECORD_CHANGED = 1020,
    SERVER_DISK_FULL = 1021,
    MARIADB_CANNOT_CONVERT_CHARACTER = 1977,
    NO_SUCH_INDEX = 1176 /* each spells its name otherwise */
};

struct meaning {
    unsigned number;
    enum outbox_status status;
    const char *remedy; /* what is added to the server's own words */
};

#define CHECK_LOGIN "; check `url` and `password`, and `tls` if the server wants that"
#define TABLE_RIGHTS                                                                               \
    "; the relay needs SELECT and UPDATE on its table, and DELETE to delete what is delivered; "   \
    "producers need INSERT"
#define READ_ONLY "; a replica perhaps: let the url name the primary"
#define BY_SESSION "; a connection pooler must pool by session"

static const struct meaning meanings[] = {
    {ER_CON_COUNT_ERROR, OUTBOX_UNAVAILABLE, "; see max_connections"},
    {ER_TOO_MANY_USER_CONNECTIONS, OUTBOX_UNAVAILABLE, "; see max_user_connections"},
    {ER_USER_LIMIT_REACHED, OUTBOX_UNAVAILABLE, ""},
    {ER_OUT_OF_RESOURCES, OUTBOX_UNAVAILABLE, ""},
    {MYSQL_SHUTTING_DOWN, OUTBOX_UNAVAILABLE, ""},
    {MYSQL_CLIENT_TOO_IDLE, OUTBOX_UNAVAILABLE, "; see wait_timeout"},
    {SERVER_DISK_FULL, OUTBOX_UNAVAILABLE, ""},
    {ER_RECORD_FILE_FULL, OUTBOX_UNAVAILABLE, "; the disk of the server is full perhaps"},
    {ER_LOCK_TABLE_FULL, OUTBOX_UNAVAILABLE, "; see innodb_buffer_pool_size"},
    {ER_HOST_IS_BLOCKED, OUTBOX_UNAVAILABLE, ""},
    {CR_CONNECTION_ERROR, OUTBOX_UNAVAILABLE, ""},
    {CR_CONN_HOST_ERROR, OUTBOX_UNAVAILABLE, ""},
    {CR_UNKNOWN_HOST, OUTBOX_UNAVAILABLE, ""},
    {CR_SERVER_GONE_ERROR, OUTBOX_UNAVAILABLE, ""},
    {CR_SERVER_LOST, OUTBOX_UNAVAILABLE, ""},
    {ER_OPTION_PREVENTS_STATEMENT, OUTBOX_UNAVAILABLE, READ_ONLY},
    {ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, OUTBOX_UNAVAILABLE, READ_ONLY},
    {MARIADB_READ_ONLY, OUTBOX_UNAVAILABLE, READ_ONLY},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, OUTBOX_DENIED,
     "; " CLIENT_LIBRARY " cannot log in so: give the user another plugin, or build with another "
     "-Dmysql_client"},
    {ER_ACCESS_DENIED_ERROR, OUTBOX_DENIED, CHECK_LOGIN},
    {MYSQL_ACCESS_DENIED_BY_PLUGIN, OUTBOX_DENIED, CHECK_LOGIN},
    {MYSQL_LOCKED_ACCOUNT, OUTBOX_DENIED, ""},
    {MARIADB_ACCOUNT_LOCKED, OUTBOX_DENIED, ""},
    {MYSQL_PASSWORD_EXPIRED, OUTBOX_DENIED, ""},
    {MYSQL_PASSWORD_EXPIRED_LOGIN, OUTBOX_DENIED, ""},
    {ER_HOST_NOT_PRIVILEGED, OUTBOX_DENIED, CHECK_LOGIN},
    {ER_DBACCESS_DENIED_ERROR, OUTBOX_DENIED, "; GRANT gives rights to a database"},
    {MYSQL_REQUIRE_SECURE, OUTBOX_DENIED, "; the server wants TLS: set `tls` to verified"},
    {ER_TABLEACCESS_DENIED_ERROR, OUTBOX_DENIED, TABLE_RIGHTS},
    {ER_COLUMNACCESS_DENIED_ERROR, OUTBOX_DENIED, TABLE_RIGHTS},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, OUTBOX_DENIED, ""},
    {ER_BAD_DB_ERROR, OUTBOX_INVALID, "; create the database, or change `url` or `table`"},
    {ER_NO_DB_ERROR, OUTBOX_INVALID, "; name the database in `url` or in `table`"},
    {ER_NO_SUCH_TABLE, OUTBOX_SCHEMA, "; `outbox-relay init` makes the table"},
    {ER_BAD_FIELD_ERROR, OUTBOX_SCHEMA, "; see `columns`, or run `outbox-relay init`"},
    {NO_SUCH_INDEX, OUTBOX_SCHEMA, "; an index is gone: run `outbox-relay init`"},
    {ER_BINLOG_UNSAFE_ROUTINE, OUTBOX_SCHEMA, ""},
    {ER_BINLOG_STMT_MODE_AND_ROW_ENGINE, OUTBOX_SCHEMA,
     "; the relay reads committed rows only: set binlog_format to ROW or MIXED"},
    {ER_TABLE_DEF_CHANGED, OUTBOX_SCHEMA, ""},
    {ER_UNKNOWN_STMT_HANDLER, OUTBOX_UNAVAILABLE, BY_SESSION},
    {ER_QUERY_INTERRUPTED, OUTBOX_TIMEOUT, ""},
    {MYSQL_QUERY_TIMEOUT, OUTBOX_TIMEOUT, " (see statement_timeout)"},
    {MARIADB_STATEMENT_TIMEOUT, OUTBOX_TIMEOUT, " (see statement_timeout)"},
    {ER_LOCK_WAIT_TIMEOUT, OUTBOX_TIMEOUT, ""},
    {ER_NET_PACKET_TOO_LARGE, OUTBOX_UNAVAILABLE, "; see the server's max_allowed_packet"},
    {ER_DUP_ENTRY, OUTBOX_INVALID, ""},
    {ER_DATA_TOO_LONG, OUTBOX_INVALID, ""},
    {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, OUTBOX_INVALID, ""},
    {ER_TRUNCATED_WRONG_VALUE, OUTBOX_INVALID, ""},
    {ER_WARN_DATA_OUT_OF_RANGE, OUTBOX_INVALID, ""},
    {WARN_DATA_TRUNCATED, OUTBOX_INVALID, ""},
    {ER_BAD_NULL_ERROR, OUTBOX_INVALID, ""},
    {ER_NO_DEFAULT_FOR_FIELD, OUTBOX_INVALID, ""},
    {ER_NO_REFERENCED_ROW_2, OUTBOX_INVALID, ""},
    {ER_SIGNAL_EXCEPTION, OUTBOX_INVALID, ""},
    {ER_NO_PARTITION_FOR_GIVEN_VALUE, OUTBOX_INVALID, ""},
    {MARIADB_CANNOT_CONVERT_CHARACTER, OUTBOX_INVALID, ""},
    {MYSQL_CANNOT_CONVERT_STRING, OUTBOX_INVALID, ""},
    {MYSQL_CHECK_VIOLATED, OUTBOX_INVALID, ""},
    {MARIADB_CONSTRAINT, OUTBOX_INVALID, ""},
    {MYSQL_INVALID_JSON, OUTBOX_INVALID, ""},
    {MYSQL_INVALID_JSON_CHARSET, OUTBOX_INVALID, ""},
};

static const struct meaning *find_meaning(unsigned number)
{
    static const struct meaning other = {0, OUTBOX_INTERNAL, ""};
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (meanings[i].number == number)
            return &meanings[i];
    return &other;
}

enum outbox_status failure_of_memory(struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "out of memory");
}

/* A deadlock, a lock that came too late, a plan that has to be made anew. */
static bool is_retriable(unsigned number)
{
    return number == ER_LOCK_DEADLOCK || number == ER_LOCK_WAIT_TIMEOUT ||
           number == ER_NEED_REPREPARE || number == SERVER_RECORD_CHANGED;
}

static void count(struct outbox_session *session, unsigned number)
{
    const struct outbox_host *host = session->store->host;
    if (number == ER_LOCK_DEADLOCK)
        host->count(host, "deadlocks", 1);
    else if (number == ER_LOCK_WAIT_TIMEOUT)
        host->count(host, "lock_timeouts", 1);
}

static void copy_one_line(char *to, size_t size, const char *from)
{
    size_t len = 0;
    for (; *from && len + 1 < size; from++)
        to[len++] = (unsigned char)*from < ' ' ? ' ' : *from;
    to[len] = '\0';
}

/* The library has made the error itself, so the connection is in an unknown state. */
static bool is_of_library(unsigned number)
{
    return number >= CR_MIN_ERROR && number <= CR_MAX_ERROR;
}

enum outbox_status failure_of_server(struct outbox_session *session, unsigned number,
                                     const char *text, const char *what, struct outbox_error *error)
{
    const struct meaning *meaning = find_meaning(number);
    enum outbox_status status = meaning->status;
    char reason[300], native[16];
    copy_one_line(reason, sizeof(reason), text);
    settings_scrub(&session->store->settings, reason);
    (void)snprintf(native, sizeof(native), "%u", number);
    session->retriable = is_retriable(number);
    count(session, number);
    if (status == OUTBOX_SCHEMA || status == OUTBOX_DENIED)
        session->forget = true;
    if (is_of_library(number))
        status = OUTBOX_UNAVAILABLE;
    if (status == OUTBOX_UNAVAILABLE)
        session->lost = true;
    if (session->lost && session_interrupted(session))
        return outbox_fail(error, OUTBOX_INTERRUPTED, native,
                           "%s %s: interrupted, the connection is given up", what,
                           session->store->names.table);
    return outbox_fail(error, status, native, "%s %s: %s%s", what, session->store->names.table,
                       reason[0] ? reason : "the server gave no reason", meaning->remedy);
}

enum outbox_status failure_to_connect(const struct outbox_store *store, MYSQL *client,
                                      struct outbox_error *error)
{
    unsigned number = mysql_errno(client);
    const struct meaning *meaning = find_meaning(number);
    enum outbox_status status = meaning->status;
    char reason[300], native[16];
    copy_one_line(reason, sizeof(reason), mysql_error(client));
    settings_scrub(&store->settings, reason);
    (void)snprintf(native, sizeof(native), "%u", number);
    const char *remedy = meaning->remedy;
    if (status == OUTBOX_INTERNAL || status == OUTBOX_SCHEMA || status == OUTBOX_TIMEOUT)
        status = OUTBOX_UNAVAILABLE; /* the network, the name or TLS: a thing that may pass */
    if (number == CR_SSL_CONNECTION_ERROR)
        remedy = "; see `tls` and `tls_ca`";
    const struct address *address = &store->settings.address;
    if (address->socket)
        return outbox_fail(error, status, native, "connect to the server at %s: %s%s",
                           address->socket, reason, remedy);
    return outbox_fail(error, status, native, "connect to the server at %s port %u: %s%s",
                       address->host, address->port, reason, remedy);
}
