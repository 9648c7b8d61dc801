/*
 * enqueue.c - inserting events
 * SPDX-License-Identifier: MIT
 */
#include "failure.h"
#include "ops.h"
#include "uuid.h"

#include <inttypes.h>
#include <stdlib.h>

static const char doing[] = "insert events";

/* Parameters of the INSERT. */
enum {
    AT_ID = 1,
    AT_TYPE,
    AT_PAYLOAD,
    AT_HEADERS,
    AT_PARTITION_KEY,
    AT_NOW,
    AT_AVAILABLE,
    AT_ORDERING_KEY,
    AT_AGGREGATE_TYPE,
    AT_AGGREGATE_ID
};

/* Statements for the length of one call, and which event it is at. */
struct inserter {
    struct outbox_session *session;
    sqlite3_stmt *insert;
    uint64_t index;
};

static enum outbox_status refuse(const struct inserter *inserter, struct outbox_slice id,
                                 const char *native, const char *why, struct outbox_error *error)
{
    return outbox_fail(error, OUTBOX_INVALID, native, "event %" PRIu64 " (id %.*s): %.300s",
                       inserter->index, (int)(id.len > 80 ? 80 : id.len),
                       id.data ? id.data : "not given", why);
}

static const char *optional_column(const struct shape *shape, enum role role, const char *text)
{
    return shape->has[role] ? text : "";
}

/* A table made elsewhere need not have the last three columns. */
static char *insert_sql(const struct outbox_session *session)
{
    const struct shape *shape = &session->shape;
    char *pattern = sqlite3_mprintf(
        "INSERT INTO {table}({event_id},{event_type},{payload},{headers},{partition_key},"
        "{available_at},{created_at},{updated_at},{status},{attempts}%s%s%s) "
        "VALUES(?1,?2,?3,coalesce(?4,'{}'),?5,?7,?6,?6,'PENDING',0%s%s%s)",
        optional_column(shape, ROLE_ORDERING_KEY, ",{ordering_key}"),
        optional_column(shape, ROLE_AGGREGATE_TYPE, ",{aggregate_type}"),
        optional_column(shape, ROLE_AGGREGATE_ID, ",{aggregate_id}"),
        optional_column(shape, ROLE_ORDERING_KEY, ",?8"),
        optional_column(shape, ROLE_AGGREGATE_TYPE, ",?9"),
        optional_column(shape, ROLE_AGGREGATE_ID, ",?10"));
    char *sql = pattern ? columns_sql(&session->store->columns, shape, pattern) : NULL;
    sqlite3_free(pattern);
    return sql;
}

static enum outbox_status inserter_init(struct inserter *inserter, struct outbox_error *error)
{
    struct outbox_session *session = inserter->session;
    enum outbox_status status = session_require_shape(session, error);
    if (status != OUTBOX_OK)
        return status;
    char *sql = insert_sql(session);
    if (!sql)
        return failure_no_memory(doing, error);
    int code = sqlite3_prepare_v2(session->db, sql, -1, &inserter->insert, NULL);
    free(sql);
    return code == SQLITE_OK ? OUTBOX_OK : failure(session, doing, error);
}

static bool has_nul(struct outbox_slice text)
{
    return text.data && memchr(text.data, '\0', text.len) != NULL;
}

static const char *wrong_text(const struct outbox_new_event *event)
{
    if (event->id.data && event->id.len == 0)
        return "id is empty: leave it out to have one made";
    if (!event->type.data || event->type.len == 0)
        return "type is missing";
    if (!event->payload.data)
        return "payload is missing; an empty one is allowed";
    if (has_nul(event->id) || has_nul(event->type) || has_nul(event->partition_key) ||
        has_nul(event->ordering_key) || has_nul(event->aggregate_type) ||
        has_nul(event->aggregate_id) || has_nul(event->headers))
        return "a NUL byte in id, type, a key or headers; only the payload may have one";
    return NULL;
}

static const char *missing_column(const struct shape *shape, const struct outbox_new_event *event)
{
    if (event->ordering_key.data && !shape->has[ROLE_ORDERING_KEY])
        return "has an ordering_key, and the table no such column: run `outbox-relay init`";
    if (event->aggregate_type.data && !shape->has[ROLE_AGGREGATE_TYPE])
        return "has an aggregate_type, and the table no such column: run `outbox-relay init`";
    if (event->aggregate_id.data && !shape->has[ROLE_AGGREGATE_ID])
        return "has an aggregate_id, and the table no such column: run `outbox-relay init`";
    return NULL;
}

/* NULL is no object either, but then the table's default takes its place. */
static enum outbox_status headers_are_object(struct inserter *inserter, struct outbox_slice headers,
                                             bool *object, struct outbox_error *error)
{
    sqlite3_stmt *statement = NULL;
    *object = !headers.data;
    if (*object)
        return OUTBOX_OK;
    enum outbox_status status =
        session_statement(inserter->session, STATEMENT_IS_OBJECT, &statement, error);
    if (status != OUTBOX_OK)
        return status;
    (void)sqlite3_bind_text64(statement, 1, headers.data, headers.len, SQLITE_STATIC, SQLITE_UTF8);
    if (sqlite3_step(statement) == SQLITE_ROW)
        *object = sqlite3_column_int(statement, 0) != 0;
    else
        status = failure(inserter->session, doing, error);
    (void)sqlite3_reset(statement); /* repeats a failure already taken */
    return status;
}

static void bind_slice(sqlite3_stmt *statement, int at, struct outbox_slice text)
{
    if (sqlite3_bind_parameter_count(statement) < at && !text.data)
        return;
    (void)sqlite3_bind_text64(statement, at, text.data, text.len, SQLITE_STATIC, SQLITE_UTF8);
}

static enum outbox_status bind_id(struct inserter *inserter, struct outbox_slice id,
                                  unsigned char bytes[16], struct outbox_error *error)
{
    if (!inserter->session->shape.id_is_blob) {
        bind_slice(inserter->insert, AT_ID, id);
        return OUTBOX_OK;
    }
    if (!uuid_parse(id.data, id.len, bytes))
        return refuse(inserter, id, "", "id is no UUID, and the table stores ids as bytes", error);
    (void)sqlite3_bind_blob(inserter->insert, AT_ID, bytes, 16, SQLITE_STATIC);
    return OUTBOX_OK;
}

/* `id` and `bytes` must stay until the statement has run. */
static enum outbox_status bind_event(struct inserter *inserter,
                                     const struct outbox_new_event *event, struct outbox_slice id,
                                     unsigned char bytes[16], struct outbox_error *error)
{
    struct outbox_session *session = inserter->session;
    sqlite3_stmt *insert = inserter->insert;
    enum outbox_status status = bind_id(inserter, id, bytes, error);
    if (status != OUTBOX_OK)
        return status;
    struct instant available =
        event->available_at ? instant_of(event->available_at) : session->now_text;
    bind_slice(insert, AT_TYPE, event->type);
    (void)sqlite3_bind_blob64(insert, AT_PAYLOAD, event->payload.data, event->payload.len,
                              SQLITE_STATIC);
    bind_slice(insert, AT_HEADERS, event->headers);
    bind_slice(insert, AT_PARTITION_KEY, event->partition_key);
    (void)sqlite3_bind_text(insert, AT_NOW, session->now_text.text, INSTANT_LEN, SQLITE_STATIC);
    (void)sqlite3_bind_text(insert, AT_AVAILABLE, available.text, INSTANT_LEN, SQLITE_TRANSIENT);
    bind_slice(insert, AT_ORDERING_KEY, event->ordering_key);
    bind_slice(insert, AT_AGGREGATE_TYPE, event->aggregate_type);
    bind_slice(insert, AT_AGGREGATE_ID, event->aggregate_id);
    return OUTBOX_OK;
}

static enum outbox_status run_insert(struct inserter *inserter, struct outbox_slice id,
                                     struct outbox_error *error)
{
    struct outbox_error why = OUTBOX_ERROR_INIT;
    enum outbox_status status = session_run(inserter->session, inserter->insert, doing, &why);
    if (status == OUTBOX_INVALID)
        return refuse(inserter, id, why.native, sqlite3_errmsg(inserter->session->db), error);
    if (status != OUTBOX_OK)
        return outbox_fail(error, status, why.native, "%s", why.text);
    return OUTBOX_OK;
}

static enum outbox_status insert_one(struct inserter *inserter,
                                     const struct outbox_new_event *event,
                                     struct outbox_error *error)
{
    const char *wrong = wrong_text(event);
    if (!wrong)
        wrong = missing_column(&inserter->session->shape, event);
    if (wrong)
        return refuse(inserter, event->id, "", wrong, error);
    bool object = false;
    enum outbox_status status = headers_are_object(inserter, event->headers, &object, error);
    if (status != OUTBOX_OK)
        return status;
    if (!object)
        return refuse(inserter, event->id, "", "headers are not a JSON object", error);
    char made[UUID_LEN];
    unsigned char bytes[16];
    struct outbox_slice id = event->id;
    if (!id.data) {
        if (!uuid_make(inserter->session->now, made))
            return outbox_fail(error, OUTBOX_INTERNAL, "", "%s: the system gives no random bytes",
                               doing);
        id = (struct outbox_slice){made, UUID_LEN};
    }
    status = bind_event(inserter, event, id, bytes, error);
    return status == OUTBOX_OK ? run_insert(inserter, id, error) : status;
}

static enum outbox_status insert_all(struct inserter *inserter,
                                     const struct outbox_enqueue_request *request,
                                     struct outbox_error *error)
{
    enum outbox_status status = transaction_begin(inserter->session, doing, error);
    if (status != OUTBOX_OK)
        return status;
    for (; inserter->index < request->count && status == OUTBOX_OK; inserter->index++) {
        const struct outbox_new_event *event =
            (const struct outbox_new_event *)(const void *)((const char *)request->events +
                                                            inserter->index * request->event_size);
        status = insert_one(inserter, event, error);
    }
    return transaction_end(inserter->session, status, doing, error);
}

/* The `synchronous` option is for the relay's own bookkeeping. Enqueueing is a producer's commit:
 * what it has confirmed must survive a loss of power. */
static enum outbox_status insert_durably(struct inserter *inserter,
                                         const struct outbox_enqueue_request *request,
                                         struct outbox_error *error)
{
    struct outbox_session *session = inserter->session;
    if (session->store->sync_full)
        return insert_all(inserter, request, error);
    enum outbox_status status = session_execute(session, "PRAGMA synchronous=FULL", doing, error);
    if (status != OUTBOX_OK)
        return status;
    status = insert_all(inserter, request, error);
    struct outbox_error why = OUTBOX_ERROR_INIT;
    if (session_execute(session, "PRAGMA synchronous=NORMAL", doing, &why) != OUTBOX_OK)
        outbox_log(session->store->host, OUTBOX_LOG_WARN,
                   "the session stays at synchronous=full: %s", why.text);
    return status;
}

/* UNAVAILABLE would leave open whether the events are committed. A disk that is full leaves no
 * doubt: SQLite has rolled back. */
static enum outbox_status report(enum outbox_status status, const struct outbox_error *why,
                                 struct outbox_error *error)
{
    static const char full[] = "SQLITE_FULL";
    if (status == OUTBOX_UNAVAILABLE && strncmp(why->native, full, sizeof(full) - 1) == 0)
        return outbox_fail(error, OUTBOX_INTERNAL, why->native,
                           "%.380s; nothing of this batch is committed", why->text);
    return outbox_fail(error, status, why->native, "%s", why->text);
}

enum outbox_status store_enqueue(struct outbox_session *session,
                                 const struct outbox_enqueue_request *request,
                                 struct outbox_error *error)
{
    struct inserter inserter = {session, NULL, 0};
    struct outbox_error why = OUTBOX_ERROR_INIT;
    enum outbox_status status = session_ready(session, false, error);
    if (status == OUTBOX_OK)
        status = inserter_init(&inserter, error);
    if (status == OUTBOX_OK)
        status = insert_durably(&inserter, request, &why);
    if (status != OUTBOX_OK && why.text[0])
        status = report(status, &why, error);
    (void)sqlite3_finalize(inserter.insert); /* repeats an error already reported */
    return status;
}
