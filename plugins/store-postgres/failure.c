/*
 * failure.c - what a failure of libpq or of the server means to the relay
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdlib.h>

struct meaning {
    const char *sqlstate; /* or the first characters of it */
    enum outbox_status status;
    const char *remedy; /* what is added to the server's own words */
};

#define CHECK_LOGIN "; check `url` and `password`"

/* The first that fits counts, so the exact codes stand before their classes. */
static const struct meaning meanings[] = {
    {"25006", OUTBOX_UNAVAILABLE,
     "; a hot standby perhaps: let the url name the primary, or add "
     "target_session_attrs=read-write"},
    {"57P04", OUTBOX_INVALID, ""},
    {"57014", OUTBOX_TIMEOUT, " (see statement_timeout)"},
    {"57P", OUTBOX_UNAVAILABLE, ""},
    {"25P03", OUTBOX_UNAVAILABLE, ""},
    {"08", OUTBOX_UNAVAILABLE, ""},
    {"53", OUTBOX_UNAVAILABLE, ""},
    {"58", OUTBOX_UNAVAILABLE, ""},
    {"28", OUTBOX_DENIED, CHECK_LOGIN},
    {"42501", OUTBOX_DENIED,
     "; the relay needs SELECT and UPDATE on its table, and DELETE to delete what is delivered; "
     "producers need INSERT"},
    {"42P01", OUTBOX_SCHEMA, "; `outbox-relay init` makes the table"},
    {"42703", OUTBOX_SCHEMA, "; see `columns`, or run `outbox-relay init`"},
    {"42804", OUTBOX_SCHEMA, ""},
    {"42883", OUTBOX_SCHEMA, ""},
    {"0A000", OUTBOX_SCHEMA, ""},
    {"26000", OUTBOX_SCHEMA, "; a connection pooler must pool by session"},
    {"3D000", OUTBOX_INVALID, ""},
    {"3F000", OUTBOX_SCHEMA, "; create the schema, or change `table`"},
    {"22", OUTBOX_INVALID, ""},
    {"23", OUTBOX_INVALID, ""},
};

static const struct meaning *find_meaning(const char *sqlstate)
{
    static const struct meaning other = {"", OUTBOX_INTERNAL, ""};
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (strncmp(sqlstate, meanings[i].sqlstate, strlen(meanings[i].sqlstate)) == 0)
            return &meanings[i];
    return &other;
}

static bool is_retriable(const char *sqlstate)
{
    return strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0 ||
           strcmp(sqlstate, "55P03") == 0;
}

enum outbox_status failure_of_memory(struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "out of memory");
}

/* libpq ends its messages with a line break and may put several lines into one. */
static void copy_one_line(char *to, size_t size, const char *from)
{
    size_t len = 0;
    for (; *from && len + 1 < size; from++)
        to[len++] = (unsigned char)*from < ' ' ? ' ' : *from;
    while (len > 0 && to[len - 1] == ' ')
        len--;
    to[len] = '\0';
}

enum outbox_status failure_of_connection(struct outbox_session *session, const char *what,
                                         struct outbox_error *error)
{
    char reason[300];
    copy_one_line(reason, sizeof(reason), PQerrorMessage(session->conn));
    settings_scrub(&session->store->settings, reason);
    session->lost = true;
    return outbox_fail(error, OUTBOX_UNAVAILABLE, "08006", "%s %s: %s", what,
                       session->store->names.table,
                       reason[0] ? reason : "the connection to the server is lost");
}

enum outbox_status failure_of_result(struct outbox_session *session, const PGresult *result,
                                     const char *what, struct outbox_error *error)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!sqlstate || !primary) {
        if (PQstatus(session->conn) == CONNECTION_BAD)
            return failure_of_connection(session, what, error);
        return outbox_fail(error, OUTBOX_INTERNAL, "", "%s %s: unexpected answer %s", what,
                           session->store->names.table, PQresStatus(PQresultStatus(result)));
    }
    const struct meaning *meaning = find_meaning(sqlstate);
    enum outbox_status status = meaning->status;
    session->exchange.retriable = is_retriable(sqlstate);
    if (status == OUTBOX_SCHEMA || status == OUTBOX_DENIED)
        session->forget = true;
    if (status == OUTBOX_UNAVAILABLE)
        session->lost = true;
    return outbox_fail(error, status, sqlstate, "%s %s: %s%s", what, session->store->names.table,
                       primary, meaning->remedy);
}

/* While it connects, libpq gives the code only within the message ("FATAL:  28P01: ..."), and only
 * when asked to be verbose. Cuts the message to that, and returns the code, "" if there is none. */
static void split_verbose(char *message, char sqlstate[6])
{
    sqlstate[0] = '\0';
    for (char *at = strstr(message, ":  "); at; at = strstr(at + 1, ":  ")) {
        if (strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5 || at[8] != ':')
            continue;
        memcpy(sqlstate, at + 3, 5);
        sqlstate[5] = '\0';
        memmove(at + 2, at + 9, strlen(at + 9) + 1);
    }
    char *location = strstr(message, "LOCATION:  ");
    if (location)
        *location = '\0';
}

/* No table is involved yet. */
static const char *connection_remedy(const struct meaning *meaning, PGconn *conn)
{
    if (PQconnectionNeedsPassword(conn))
        return CHECK_LOGIN;
    if (strcmp(meaning->sqlstate, "42501") == 0)
        return "; GRANT CONNECT ON DATABASE gives it";
    return meaning->remedy;
}

enum outbox_status failure_to_connect(struct outbox_store *store, PGconn *conn,
                                      struct outbox_error *error)
{
    char *whole = strdup(PQerrorMessage(conn));
    if (!whole)
        return failure_of_memory(error);
    char sqlstate[6], reason[360];
    split_verbose(whole, sqlstate);
    settings_scrub(&store->settings, whole);
    copy_one_line(reason, sizeof(reason), whole);
    free(whole);
    const struct meaning *meaning = find_meaning(sqlstate);
    enum outbox_status status = meaning->status;
    /* Without a code it is the network, the name or TLS: a thing that may pass. */
    if (!sqlstate[0] || status == OUTBOX_INTERNAL)
        status = PQconnectionNeedsPassword(conn) ? OUTBOX_DENIED : OUTBOX_UNAVAILABLE;
    return outbox_fail(
        error, status, sqlstate[0] ? sqlstate : "08001", "connect to PostgreSQL: %s%s",
        reason[0] ? reason : "the server closed the connection", connection_remedy(meaning, conn));
}
