/*
 * enqueue.c - inserting events
 * SPDX-License-Identifier: MIT
 */
#include "failure.h"
#include "ops.h"
#include "template.h"
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
    AT_AGGREGATE_ID,
    AT_CREATED_TS
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

/* What the table has no column for, and what it makes itself, is not named. */
static const char insert_pattern[] =
    "INSERT INTO {table}({event_id},{event_type},{payload},[[status|{status},]]"
    "[[attempts|{attempts},]][[headers|{headers},]][[partition_key|{partition_key},]]"
    "[[available_at|{available_at},]][[created_at|{created_at},]][[updated_at|{updated_at},]]"
    "[[ordering_key|{ordering_key},]][[aggregate_type|{aggregate_type},]]"
    "[[aggregate_id|{aggregate_id},]][[created_ts|{created_ts},]]{end}) "
    "VALUES(?1,?2,?3,[[status|{PENDING},]][[attempts|0,]][[headers|coalesce(?4,'{}'),]]"
    "[[partition_key|?5,]][[available_at|?7,]][[created_at|?6,]][[updated_at|?6,]]"
    "[[ordering_key|?8,]][[aggregate_type|?9,]][[aggregate_id|?10,]][[created_ts|?11,]]{end})";

static char *insert_sql(const struct outbox_session *session)
{
    struct shape given = session->shape;
    for (int role = 0; role < ROLE_COUNT; role++)
        given.has[role] = given.has[role] && !given.generated[role];
    return template_sql(&session->store->columns, &given, insert_pattern);
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

/* The length of the UTF-8 character at `at`, which is no NUL; 0 if there is none. */
static int character_len(const unsigned char *at, const unsigned char *end)
{
    int len = *at == 0 ? 0 : *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    if (*at > 0xf4 || end - at < len)
        return 0;
    for (int i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xf0 && at[1] < 0x90);
    bool beyond = (*at == 0xed && at[1] > 0x9f) || (*at == 0xf4 && at[1] > 0x8f);
    return overlong || beyond ? 0 : len;
}

/* What SQLite keeps as it is if it is stored as text. */
static bool is_text(struct outbox_slice bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.data, *end = at + bytes.len;
    while (at < end) {
        int len = character_len(at, end);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
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

/* ROLE_NONE if the table has a column for all that the event has. */
static enum role missing_column(const struct shape *shape, const struct outbox_new_event *event)
{
    const struct {
        enum role role;
        bool given;
    } optional[] = {{ROLE_HEADERS, event->headers.data != NULL},
                    {ROLE_PARTITION_KEY, event->partition_key.data != NULL},
                    {ROLE_ORDERING_KEY, event->ordering_key.data != NULL},
                    {ROLE_AGGREGATE_TYPE, event->aggregate_type.data != NULL},
                    {ROLE_AGGREGATE_ID, event->aggregate_id.data != NULL},
                    {ROLE_AVAILABLE_AT, event->available_at != 0}};
    for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
        if (optional[i].given && !shape->has[optional[i].role])
            return optional[i].role;
    }
    return ROLE_NONE;
}

static enum outbox_status check_columns(const struct inserter *inserter,
                                        const struct outbox_new_event *event,
                                        struct outbox_error *error)
{
    const struct layout *layout = inserter->session->store->layout;
    enum role missing = missing_column(&inserter->session->shape, event);
    char why[160];
    if (missing == ROLE_NONE)
        return OUTBOX_OK;
    (void)snprintf(why, sizeof(why), "the table has no column for %s%s", role_name(missing),
                   layout->added     ? "; `outbox-relay init` adds it"
                   : layout->is_open ? "; `columns` names it if there is one"
                                     : "");
    return refuse(inserter, event->id, "", why, error);
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

/* A parameter that the statement does not have is no failure: the table lacks the column. */
static void bind_slice(sqlite3_stmt *statement, int at, struct outbox_slice text)
{
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

/* The first 48 bits of a UUID of version 7 are milliseconds; another id tells no time. */
static int64_t seconds_of(const struct outbox_session *session, struct outbox_slice id)
{
    unsigned char bytes[16];
    int64_t milliseconds = 0;
    if (!uuid_parse(id.data, id.len, bytes) || bytes[6] >> 4 != 7)
        return session->now / 1000000;
    for (int i = 0; i < 6; i++)
        milliseconds = milliseconds << 8 | bytes[i];
    return milliseconds / 1000;
}

/* As text where the column is for that and it is text, which every program can then read. */
static void bind_payload(struct inserter *inserter, struct outbox_slice payload)
{
    if (inserter->session->shape.payload_is_text && is_text(payload))
        bind_slice(inserter->insert, AT_PAYLOAD, payload);
    else
        (void)sqlite3_bind_blob64(inserter->insert, AT_PAYLOAD, payload.data, payload.len,
                                  SQLITE_STATIC);
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
    bind_payload(inserter, event->payload);
    (void)sqlite3_bind_int64(insert, AT_CREATED_TS, seconds_of(session, id));
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
    const struct shape *shape = &inserter->session->shape;
    const char *wrong = wrong_text(event);
    if (wrong)
        return refuse(inserter, event->id, "", wrong, error);
    bool object = false;
    enum outbox_status status = check_columns(inserter, event, error);
    if (status == OUTBOX_OK)
        status = headers_are_object(inserter, event->headers, &object, error);
    if (status != OUTBOX_OK)
        return status;
    if (!object)
        return refuse(inserter, event->id, "", "headers are not a JSON object", error);
    char made[UUID_LEN];
    unsigned char bytes[16];
    struct outbox_slice id = event->id;
    if (!id.data && shape->id_is_number && !shape->id_is_rowid)
        return refuse(inserter, id, "", "the table's ids are numbers, so one must be given", error);
    if (!id.data && !shape->id_is_rowid) {
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
