/*
 * enqueue.c - inserting events
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"
#include "uuid.h"

/* One INSERT takes so many events, or so many bytes of payload, whichever comes first. */
#define CHUNK_EVENTS 5000
#define CHUNK_BYTES (UINT64_C(8) << 20)

enum { ARRAYS = 10 };

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

/* Bytes are taken to be those of a UUID. */
static bool is_uuid(const struct table *table)
{
    return table->type[ROLE_EVENT_ID] == TYPE_UUID || table->type[ROLE_EVENT_ID] == TYPE_BYTEA;
}

/* What the table has no column for cannot be enqueued: it would be lost without a word. */
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
        if (!optional[i].given || session->table.has[optional[i].role])
            continue;
        char why[160];
        (void)snprintf(why, sizeof(why), "the table has no column for %s%s",
                       role_name(optional[i].role),
                       layout->is_upgraded ? "; `outbox-relay init` adds it"
                       : layout->is_open   ? "; `columns` names it if there is one"
                                           : "");
        return refuse(request, index, "", error, why);
    }
    return OUTBOX_OK;
}

static enum outbox_status check_event(const struct outbox_session *session,
                                      const struct outbox_enqueue_request *request, uint64_t index,
                                      struct outbox_error *error)
{
    const struct outbox_new_event *event = event_at(request, index);
    const struct table *table = &session->table;
    Oid id_type = table->type[ROLE_EVENT_ID];
    char uuid[UUID_BYTES];
    if (is_uuid(table) && event->id.data && !uuid_parse(event->id, uuid))
        return refuse(request, index, "", error, "the id is no UUID");
    bool makes_id = is_uuid(table) || id_type == TYPE_TEXT || id_type == TYPE_VARCHAR;
    if (!makes_id && !event->id.data)
        return refuse(request, index, "", error,
                      "the table's ids are no UUIDs, so one must be given");
    if (!event->type.data || event->type.len == 0)
        return refuse(request, index, "", error, "the type is missing");
    if (!event->payload.data)
        return refuse(request, index, "", error, "the payload is missing");
    if (event->headers.data && !looks_like_object(event->headers))
        return refuse(request, index, "", error, "the headers are no JSON object");
    return check_columns(session, request, index, error);
}

/* ---- Inserting ---------------------------------------------------------------------------- */

static enum outbox_status add_id(struct outbox_session *session,
                                 const struct outbox_new_event *event, struct outbox_error *error)
{
    struct buffer *ids = &session->scratch[0], *seconds = &session->scratch[9];
    bool binary = is_uuid(&session->table);
    char bytes[UUID_BYTES], text[UUID_TEXT];
    if (event->id.data && !binary) {
        array_add_slice(ids, event->id);
        array_add_null(seconds);
        return OUTBOX_OK;
    }
    bool made = event->id.data ? uuid_parse(event->id, bytes) : uuid_make(bytes);
    if (!made)
        return outbox_fail(error, OUTBOX_INTERNAL, "", "make an event id: no randomness");
    uuid_format(bytes, text);
    array_add(ids, binary ? bytes : text, binary ? UUID_BYTES : UUID_TEXT);
    array_add_int64(seconds, (int64_t)((uint64_t)get_int64(bytes) >> 16) / 1000);
    return OUTBOX_OK;
}

static enum outbox_status add_event(struct outbox_session *session,
                                    const struct outbox_new_event *event,
                                    struct outbox_error *error)
{
    struct buffer *arrays = session->scratch;
    array_add_slice(&arrays[1], event->type);
    array_add_slice(&arrays[2], event->payload);
    array_add_slice(&arrays[3], event->headers);
    if (event->available_at)
        array_add_int64(&arrays[4], instant_from_unix(event->available_at));
    else
        array_add_null(&arrays[4]);
    array_add_slice(&arrays[5], event->partition_key);
    array_add_slice(&arrays[6], event->ordering_key);
    array_add_slice(&arrays[7], event->aggregate_type);
    array_add_slice(&arrays[8], event->aggregate_id);
    return add_id(session, event, error);
}

/* Builds the arrays of the next chunk; *count comes as what is left and goes as what fitted. */
static enum outbox_status build_chunk(struct outbox_session *session,
                                      const struct outbox_enqueue_request *request, uint64_t first,
                                      uint64_t *count, struct outbox_error *error)
{
    static const enum type_oid types[ARRAYS] = {TYPE_TEXT,        TYPE_TEXT, TYPE_BYTEA, TYPE_TEXT,
                                                TYPE_TIMESTAMPTZ, TYPE_TEXT, TYPE_TEXT,  TYPE_TEXT,
                                                TYPE_TEXT,        TYPE_INT8};
    const struct table *table = &session->table;
    for (int i = 0; i < ARRAYS; i++)
        array_begin(&session->scratch[i], types[i]);
    if (is_uuid(table))
        array_begin(&session->scratch[0], (enum type_oid)table->type[ROLE_EVENT_ID]);
    if (table->type[ROLE_PAYLOAD] != TYPE_BYTEA)
        array_begin(&session->scratch[2], TYPE_TEXT);
    uint64_t added = 0, bytes = 0;
    while (added < *count && added < CHUNK_EVENTS && bytes < CHUNK_BYTES) {
        const struct outbox_new_event *event = event_at(request, first + added);
        enum outbox_status status = add_event(session, event, error);
        if (status != OUTBOX_OK)
            return status;
        bytes += event->payload.len;
        added++;
    }
    *count = added;
    bool failed = false;
    for (int i = 0; i < ARRAYS; i++) {
        array_end(&session->scratch[i], (size_t)added);
        failed |= session->scratch[i].failed;
    }
    return failed ? failure_of_memory(error) : OUTBOX_OK;
}

/* Inserts the first `count` events in one transaction, which ends with `end`. */
static enum outbox_status insert(struct outbox_session *session,
                                 const struct outbox_enqueue_request *request, uint64_t count,
                                 const char *end, struct outbox_error *error)
{
    uint64_t done = 0;
    while (done < count) {
        uint64_t chunk = count - done;
        enum outbox_status status = build_chunk(session, request, done, &chunk, error);
        struct outbox_error ignored = OUTBOX_ERROR_INIT;
        if (status != OUTBOX_OK)
            return exchange_rollback(session, &ignored) == OUTBOX_UNAVAILABLE ? OUTBOX_UNAVAILABLE
                                                                              : status;
        struct parameter parameters[ARRAYS];
        for (int i = 0; i < ARRAYS; i++)
            parameters[i] = (struct parameter){session->scratch[i].data, session->scratch[i].len};
        exchange_start(session);
        if (done == 0)
            exchange_text(session, "BEGIN");
        exchange_statement(session, STATEMENT_ENQUEUE, parameters, ARRAYS);
        done += chunk;
        if (done == count)
            exchange_text(session, end);
        status = exchange_run(session, "enqueue events into", error);
        if (status == OUTBOX_INTERRUPTED &&
            (session->lost || exchange_rollback(session, &ignored) != OUTBOX_OK))
            return OUTBOX_UNAVAILABLE; /* whether it is committed is not known */
        if (status != OUTBOX_OK)
            return status;
    }
    return OUTBOX_OK;
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
        struct outbox_error now = OUTBOX_ERROR_INIT;
        enum outbox_status status = insert(session, request, middle, "ROLLBACK", &now);
        if (status != OUTBOX_OK && status != OUTBOX_INVALID) {
            if (error)
                *error = now;
            return status;
        }
        if (status == OUTBOX_OK)
            good = middle;
        else
            bad = middle;
        if (status == OUTBOX_INVALID)
            why = now;
    }
    return refuse(request, good, why.native, error, why.text);
}

enum outbox_status enqueue_events(struct outbox_session *session,
                                  const struct outbox_enqueue_request *request,
                                  struct outbox_error *error)
{
    enum outbox_status status = exchange_rollback(session, error);
    if (status == OUTBOX_OK)
        status = table_ensure(session, error);
    for (uint64_t i = 0; status == OUTBOX_OK && i < request->count; i++)
        status = check_event(session, request, i, error);
    if (status != OUTBOX_OK)
        return status;
    struct outbox_error why = OUTBOX_ERROR_INIT;
    unsigned tries = 0;
    do
        status = insert(session, request, request->count, "COMMIT", &why);
    while (status != OUTBOX_OK && exchange_again(session, tries++));
    if (status == OUTBOX_OK)
        return OUTBOX_OK;
    if (error)
        *error = why;
    return status == OUTBOX_INVALID ? name_culprit(session, request, error) : status;
}
