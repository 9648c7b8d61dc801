/*
 * enqueue.c - inserting events
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"
#include "uuid.h"

/* One INSERT takes so many events, or so many bytes of them, whichever comes first. */
enum { CHUNK_EVENTS = 256 };
#define CHUNK_BYTES (UINT64_C(4) << 20)

/* What an INSERT needs beside the values, at most. */
#define PACKET_OVERHEAD UINT64_C(65536)

/* The ids of a chunk, as the table has them. */
struct ids {
    char bytes[CHUNK_EVENTS][UUID_TEXT];
};

static const struct outbox_new_event *event_at(const struct outbox_enqueue_request *request,
                                               uint64_t index)
{
    return (const struct outbox_new_event *)(const void *)((const char *)request->events +
                                                           index * request->event_size);
}

/* ---- What can be seen to be wrong without the server -------------------------------------- */

static enum outbox_status refuse(const struct outbox_enqueue_request *request, uint64_t index,
                                 const char *native, struct outbox_error *error, const char *why)
{
    struct outbox_slice id = event_at(request, index)->id;
    return outbox_fail(error, OUTBOX_INVALID, native, "event %llu (%s%.*s): %s",
                       (unsigned long long)index, id.data ? "id " : "without id",
                       id.data ? (int)id.len : 0, id.data ? id.data : "", why);
}

static bool looks_like_object(struct outbox_slice headers)
{
    uint64_t at = 0;
    while (at < headers.len && strchr(" \t\r\n", headers.data[at]) && headers.data[at])
        at++;
    return at < headers.len && headers.data[at] == '{';
}

static uint64_t event_size(const struct outbox_new_event *event)
{
    return event->payload.len + event->headers.len + event->type.len + event->partition_key.len +
           event->ordering_key.len + event->aggregate_type.len + event->aggregate_id.len + 100;
}

static enum outbox_status check_columns(const struct outbox_session *session,
                                        const struct outbox_enqueue_request *request,
                                        uint64_t index, struct outbox_error *error)
{
    const struct outbox_new_event *event = event_at(request, index);
    const struct {
        enum role role;
        bool given;
    } optional[] = {{ROLE_HEADERS, event->headers.data != NULL},
                    {ROLE_PARTITION_KEY, event->partition_key.data != NULL},
                    {ROLE_ORDERING_KEY, event->ordering_key.data != NULL},
                    {ROLE_AGGREGATE_TYPE, event->aggregate_type.data != NULL},
                    {ROLE_AGGREGATE_ID, event->aggregate_id.data != NULL},
                    {ROLE_AVAILABLE_AT, event->available_at != 0}};
    const struct layout *layout = session->store->layout;
    for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
        if (!optional[i].given || table_takes(&session->table, optional[i].role))
            continue;
        char why[160];
        (void)snprintf(why, sizeof(why), "the table has no column for %s%s",
                       role_name(optional[i].role),
                       layout->added     ? "; `outbox-relay init` adds it"
                       : layout->is_open ? "; `columns` names it if there is one"
                                         : "");
        return refuse(request, index, "", error, why);
    }
    return OUTBOX_OK;
}

static const char *wrong_id(const struct outbox_session *session, struct outbox_slice id)
{
    enum kind kind = session->table.columns[ROLE_EVENT_ID].kind;
    char uuid[UUID_BYTES];
    if (!id.data)
        return kind == KIND_INTEGER || kind == KIND_UNSIGNED
                   ? "the table's ids are numbers, so one must be given"
                   : NULL;
    if ((kind == KIND_UUID_BYTES || kind == KIND_UUID) && !uuid_parse(id, uuid))
        return "the id is no UUID";
    return NULL;
}

static enum outbox_status check_event(const struct outbox_session *session,
                                      const struct outbox_enqueue_request *request, uint64_t index,
                                      struct outbox_error *error)
{
    const struct outbox_new_event *event = event_at(request, index);
    const char *wrong = wrong_id(session, event->id);
    if (wrong)
        return refuse(request, index, "", error, wrong);
    if (!event->type.data || event->type.len == 0)
        return refuse(request, index, "", error, "the type is missing");
    if (!event->payload.data)
        return refuse(request, index, "", error, "the payload is missing");
    if (event->headers.data && !looks_like_object(event->headers))
        return refuse(request, index, "", error, "the headers are no JSON object");
    if (event_size(event) + PACKET_OVERHEAD > session->max_packet)
        return refuse(request, index, "1153", error,
                      "it is larger than the server takes at once; see max_allowed_packet");
    enum outbox_status status = check_columns(session, request, index, error);
    if (status == OUTBOX_OK && event->available_at > LAST_TIMESTAMP_UNIX)
        return refuse(request, index, "", error,
                      "it would become available after 2038-01-19, which a TIMESTAMP cannot hold");
    return status;
}

/* ---- Inserting ---------------------------------------------------------------------------- */

/* The first 48 bits of a UUID of version 7 are milliseconds. */
static int64_t seconds_of(const char uuid[UUID_BYTES])
{
    int64_t milliseconds = 0;
    for (int i = 0; i < 6; i++)
        milliseconds = milliseconds << 8 | (unsigned char)uuid[i];
    return milliseconds / 1000;
}

/* *seconds becomes that of the id, and stays as it is where the id is no UUID. */
static enum outbox_status push_id(struct outbox_session *session, struct outbox_slice id,
                                  char place[UUID_TEXT], int64_t *seconds,
                                  struct outbox_error *error)
{
    enum kind kind = session->table.columns[ROLE_EVENT_ID].kind;
    char bytes[UUID_BYTES];
    bool is_uuid = !id.data || kind == KIND_UUID_BYTES || kind == KIND_UUID;
    if (!is_uuid) {
        parameter_text(session, id);
        return OUTBOX_OK;
    }
    bool made = id.data ? uuid_parse(id, bytes) : uuid_make(bytes);
    if (!made)
        return outbox_fail(error, OUTBOX_INTERNAL, "", "make an event id: no randomness");
    *seconds = seconds_of(bytes);
    if (kind == KIND_UUID_BYTES) {
        memcpy(place, bytes, UUID_BYTES);
        parameter_bytes(session, (struct outbox_slice){place, UUID_BYTES});
    } else {
        uuid_format(bytes, place);
        parameter_text(session, (struct outbox_slice){place, UUID_TEXT});
    }
    return OUTBOX_OK;
}

static void push_instant(struct outbox_session *session, int64_t instant)
{
    if (instant)
        parameter_integer(session, instant);
    else
        parameter_text(session, (struct outbox_slice){NULL, 0});
}

/* In the order of STATEMENT_ENQUEUE. */
static enum outbox_status push_event(struct outbox_session *session,
                                     const struct outbox_new_event *event, char place[UUID_TEXT],
                                     struct outbox_error *error)
{
    const struct table *table = &session->table;
    enum kind payload = table->columns[ROLE_PAYLOAD].kind;
    int64_t seconds = -1;
    enum outbox_status status = push_id(session, event->id, place, &seconds, error);
    if (status != OUTBOX_OK)
        return status;
    parameter_text(session, event->type);
    if (payload == KIND_BYTES || payload == KIND_UUID_BYTES)
        parameter_bytes(session, event->payload);
    else
        parameter_text(session, event->payload);
    if (table_takes(table, ROLE_HEADERS))
        parameter_text(session, event->headers);
    if (table_takes(table, ROLE_AVAILABLE_AT))
        push_instant(session, event->available_at);
    const struct {
        enum role role;
        struct outbox_slice text;
    } texts[] = {{ROLE_PARTITION_KEY, event->partition_key},
                 {ROLE_ORDERING_KEY, event->ordering_key},
                 {ROLE_AGGREGATE_TYPE, event->aggregate_type},
                 {ROLE_AGGREGATE_ID, event->aggregate_id}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (table_takes(table, texts[i].role))
            parameter_text(session, texts[i].text);
    if (table_takes(table, ROLE_CREATED_TS) && seconds >= 0)
        parameter_integer(session, seconds);
    else if (table_takes(table, ROLE_CREATED_TS))
        parameter_text(session, (struct outbox_slice){NULL, 0});
    return OUTBOX_OK;
}

/* How many of the events from `first` on go into the next INSERT: as many as a prepared one takes.
 */
static unsigned chunk_size(const struct outbox_session *session,
                           const struct outbox_enqueue_request *request, uint64_t first,
                           uint64_t left)
{
    uint64_t most = session->max_packet - PACKET_OVERHEAD, bytes = 0, count = 0;
    if (most > CHUNK_BYTES)
        most = CHUNK_BYTES;
    while (count < left && count < CHUNK_EVENTS) {
        bytes += event_size(event_at(request, first + count));
        if (count > 0 && bytes > most)
            break;
        count++;
    }
    unsigned size = size_for((size_t)count);
    return size_count(size) > count ? size - 1 : size;
}

static enum outbox_status insert_chunk(struct outbox_session *session,
                                       const struct outbox_enqueue_request *request, uint64_t first,
                                       unsigned size, struct outbox_error *error)
{
    struct ids ids;
    MYSQL_STMT *statement;
    parameters_start(session);
    for (size_t i = 0; i < size_count(size); i++) {
        enum outbox_status status =
            push_event(session, event_at(request, first + i), ids.bytes[i], error);
        if (status != OUTBOX_OK)
            return status;
    }
    return statement_run(session, STATEMENT_ENQUEUE, size, "enqueue events into", &statement,
                         error);
}

/* Inserts the first `count` events in one transaction, and commits or tries only. */
static enum outbox_status insert(struct outbox_session *session,
                                 const struct outbox_enqueue_request *request, uint64_t count,
                                 bool keep, struct outbox_error *error)
{
    enum outbox_status status = OUTBOX_OK;
    uint64_t done = 0;
    while (done < count && status == OUTBOX_OK) {
        unsigned size = chunk_size(session, request, done, count - done);
        status = insert_chunk(session, request, done, size, error);
        done += size_count(size);
    }
    if (status == OUTBOX_OK && keep)
        status = commit(session, "enqueue events into", error);
    if (status == OUTBOX_OK && !keep)
        status = rollback(session, error);
    return status == OUTBOX_OK ? OUTBOX_OK : give_up(session, status);
}

/* The server says what is wrong, but not with which event. The shortest run of events that fails
 * ends with it, and is found by halving. */
static enum outbox_status name_culprit(struct outbox_session *session,
                                       const struct outbox_enqueue_request *request,
                                       struct outbox_error *error)
{
    uint64_t good = 0, bad = request->count;
    struct outbox_error why = *error;
    while (bad - good > 1) {
        uint64_t middle = good + (bad - good) / 2;
        struct outbox_error last = OUTBOX_ERROR_INIT;
        enum outbox_status status = insert(session, request, middle, false, &last);
        if (status != OUTBOX_OK && status != OUTBOX_INVALID) {
            *error = last;
            return status;
        }
        if (status == OUTBOX_OK)
            good = middle;
        else
            bad = middle;
        if (status == OUTBOX_INVALID)
            why = last;
    }
    return refuse(request, good, why.native, error, why.text);
}

enum outbox_status enqueue_events(struct outbox_session *session,
                                  const struct outbox_enqueue_request *request,
                                  struct outbox_error *error)
{
    struct outbox_error why = OUTBOX_ERROR_INIT;
    enum outbox_status status = rollback(session, &why);
    if (status == OUTBOX_OK)
        status = table_ensure(session, &why);
    for (uint64_t i = 0; status == OUTBOX_OK && i < request->count; i++)
        status = check_event(session, request, i, &why);
    if (status == OUTBOX_OK) {
        unsigned tries = 0;
        do
            status = insert(session, request, request->count, true, &why);
        while (status != OUTBOX_OK && try_again(session, tries++));
        if (status == OUTBOX_INVALID)
            status = name_culprit(session, request, &why);
    }
    if (status != OUTBOX_OK && error)
        (void)outbox_fail(error, status, why.native, "%s", why.text);
    return status;
}
