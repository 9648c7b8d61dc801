/*
 * claim.c - claiming due events: find, copy, mark, in one transaction
 * SPDX-License-Identifier: MIT
 *
 * A SELECT, then one UPDATE of the rows it gave. One UPDATE ... RETURNING was measured at 1.5 times
 * the time: it keeps every returned row, payload and all, in a temporary table, and gives them back
 * in no order.
 */
#include "claim.h"

#include "failure.h"
#include "rows.h"

#include <inttypes.h>
#include <stdlib.h>

static const char doing[] = "claim events";

/* A claim ends early when its payloads are that large together; the next claim brings the rest. */
#define CLAIM_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Columns of STATEMENT_CLAIM. */
enum {
    AT_ROWID,
    AT_ID,
    AT_TYPE,
    AT_PAYLOAD,
    AT_PAYLOAD_SIZE,
    AT_HEADERS,
    AT_PARTITION_KEY,
    AT_ORDERING_KEY,
    AT_AGGREGATE_TYPE,
    AT_AGGREGATE_ID,
    AT_ATTEMPTS,
    AT_CREATED,
    AT_AVAILABLE
};

/* ---- Memory ------------------------------------------------------------------------------- */

static struct claim *claim_new(struct outbox_session *session)
{
    struct claim *claim = session->spare_claims;
    if (claim)
        session->spare_claims = claim->next;
    else
        claim = calloc(1, sizeof(*claim));
    if (!claim)
        return NULL;
    claim->next = NULL;
    claim->base.size = sizeof(claim->base);
    claim->base.event_size = sizeof(struct outbox_event);
    claim->base.count = 0;
    return claim;
}

static bool claim_grow(struct claim *claim)
{
    uint64_t capacity = claim->capacity ? claim->capacity * 2 : 64;
    struct outbox_event *events = realloc(claim->events, capacity * sizeof(*events));
    if (!events)
        return false;
    claim->events = events;
    struct claimed_row *rows = realloc(claim->rows, capacity * sizeof(*rows));
    if (!rows)
        return false;
    claim->rows = rows;
    claim->capacity = capacity;
    return true;
}

void claim_recycle(struct outbox_session *session, struct claim *claim)
{
    arena_empty(&claim->arena);
    claim->next = session->spare_claims;
    session->spare_claims = claim;
}

static void claim_free(struct claim *claim)
{
    arena_clear(&claim->arena);
    free(claim->rows);
    free(claim->events);
    free(claim);
}

void claims_free(struct outbox_session *session)
{
    while (session->spare_claims) {
        struct claim *claim = session->spare_claims;
        session->spare_claims = claim->next;
        claim_free(claim);
    }
}

void store_claim_close(struct outbox_session *session, struct outbox_claim *claim)
{
    if (claim && session)
        claim_recycle(session, (struct claim *)claim);
    else if (claim)
        claim_free((struct claim *)claim);
}

/* ---- One row ------------------------------------------------------------------------------ */

/* Copies a column into memory that stays; absent for NULL. */
static bool keep_column(struct claim *claim, sqlite3_stmt *row, int column,
                        struct outbox_slice *kept)
{
    int type = sqlite3_column_type(row, column);
    *kept = (struct outbox_slice){NULL, 0};
    if (type == SQLITE_NULL)
        return true;
    /* Text is asked for as text, so that a database in UTF-16 gives UTF-8. */
    const void *data = type == SQLITE_BLOB ? sqlite3_column_blob(row, column)
                                           : (const void *)sqlite3_column_text(row, column);
    size_t len = (size_t)sqlite3_column_bytes(row, column);
    if (!data && len > 0)
        return false;
    char *copy = arena_take(&claim->arena, len);
    if (!copy)
        return false;
    if (len > 0)
        memcpy(copy, data, len);
    *kept = (struct outbox_slice){copy, len};
    return true;
}

/* Bytes as the text of an id: a UUID where there are 16, else hexadecimal digits. */
static bool id_of_bytes(struct claim *claim, struct outbox_slice bytes, struct outbox_slice *id)
{
    static const char digits[] = "0123456789abcdef";
    bool uuid = bytes.len == 16;
    char *text = arena_take(&claim->arena, 2 * bytes.len + (uuid ? 4 : 0));
    if (!text)
        return false;
    uint64_t at = 0;
    for (uint64_t i = 0; i < bytes.len; i++) {
        if (uuid && (i == 4 || i == 6 || i == 8 || i == 10))
            text[at++] = '-';
        unsigned char byte = (unsigned char)bytes.data[i];
        text[at++] = digits[byte >> 4];
        text[at++] = digits[byte & 15];
    }
    *id = (struct outbox_slice){text, at};
    return true;
}

static bool keep_id(struct claim *claim, sqlite3_stmt *row, bool by_number,
                    struct claimed_row *kept, struct outbox_slice *id)
{
    int type = sqlite3_column_type(row, AT_ID);
    kept->key_type = by_number ? SQLITE_INTEGER : type;
    kept->number = sqlite3_column_int64(row, by_number ? AT_ROWID : AT_ID);
    if (!keep_column(claim, row, AT_ID, id))
        return false;
    kept->bytes = *id;
    return type != SQLITE_BLOB || id_of_bytes(claim, *id, id);
}

static bool keep_payload(struct claim *claim, sqlite3_stmt *row, uint64_t max_payload,
                         struct outbox_event *event)
{
    int64_t size = sqlite3_column_int64(row, AT_PAYLOAD_SIZE);
    if (size > 0 && (uint64_t)size > max_payload) {
        event->payload_size = (uint64_t)size;
        return true;
    }
    /* A payload stored as text: its size in bytes is known only once it is read. */
    event->payload_size = (uint64_t)sqlite3_column_bytes(row, AT_PAYLOAD);
    if (event->payload_size > max_payload)
        return true;
    if (!keep_column(claim, row, AT_PAYLOAD, &event->payload))
        return false;
    if (!event->payload.data) /* SQL NULL, where a table allows that: absent would mean too large */
        event->payload = (struct outbox_slice){"", 0};
    return true;
}

/* 0 (unknown) for what is no point in time. */
static int64_t time_column(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    int64_t instant = 0;
    if (text && instant_parse(text, (size_t)sqlite3_column_bytes(row, column), &instant))
        return instant;
    return 0;
}

static bool keep_row(struct claim *claim, sqlite3_stmt *row, bool by_number, uint64_t max_payload)
{
    if (claim->base.count == claim->capacity && !claim_grow(claim))
        return false;
    struct claimed_row *kept = &claim->rows[claim->base.count];
    struct outbox_event *event = &claim->events[claim->base.count];
    *event = (struct outbox_event){.attempts = sqlite3_column_int64(row, AT_ATTEMPTS)};
    if (!keep_id(claim, row, by_number, kept, &event->id) ||
        !keep_column(claim, row, AT_TYPE, &event->type) ||
        !keep_payload(claim, row, max_payload, event) ||
        !keep_column(claim, row, AT_HEADERS, &event->headers) ||
        !keep_column(claim, row, AT_PARTITION_KEY, &event->partition_key) ||
        !keep_column(claim, row, AT_ORDERING_KEY, &event->ordering_key) ||
        !keep_column(claim, row, AT_AGGREGATE_TYPE, &event->aggregate_type) ||
        !keep_column(claim, row, AT_AGGREGATE_ID, &event->aggregate_id))
        return false;
    event->created_at = time_column(row, AT_CREATED);
    event->available_at = time_column(row, AT_AVAILABLE);
    claim->base.count++;
    return true;
}

/* ---- The claim ---------------------------------------------------------------------------- */

static int64_t bounded(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static enum outbox_status find_due(struct outbox_session *session,
                                   const struct outbox_claim_request *request, struct claim *claim,
                                   struct outbox_error *error)
{
    sqlite3_stmt *row = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_CLAIM, &row, error);
    if (status != OUTBOX_OK)
        return status;
    (void)sqlite3_bind_text(row, 1, session->now_text.text, INSTANT_LEN, SQLITE_STATIC);
    (void)sqlite3_bind_int64(row, 2, bounded(request->max_events));
    (void)sqlite3_bind_int64(row, 3, bounded(request->max_payload));
    int code = sqlite3_step(row);
    while (code == SQLITE_ROW) {
        if (!keep_row(claim, row, session->shape.rowid_is_stable, request->max_payload)) {
            (void)sqlite3_reset(row); /* the failure is ours, not the statement's */
            return failure_no_memory(doing, error);
        }
        code = claim->arena.taken < CLAIM_BYTES_MAX ? sqlite3_step(row) : SQLITE_DONE;
    }
    if (code != SQLITE_DONE)
        status = failure(session, doing, error);
    (void)sqlite3_reset(row); /* repeats a failure already taken */
    return status;
}

static enum outbox_status mark_claimed(struct outbox_session *session, const struct claim *claim,
                                       struct outbox_error *error)
{
    sqlite3_stmt *mark = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_MARK, &mark, error);
    if (status != OUTBOX_OK)
        return status;
    const struct row_set all = {.claim = claim};
    rows_bind(mark, 1, &all);
    (void)sqlite3_bind_text(mark, 2, claim->token, claim->token_len, SQLITE_STATIC);
    (void)sqlite3_bind_text(mark, 3, session->now_text.text, INSTANT_LEN, SQLITE_STATIC);
    status = session_run(session, mark, doing, error);
    if (status != OUTBOX_OK || (uint64_t)sqlite3_changes(session->db) == claim->base.count)
        return status;
    /* Possible in a table made elsewhere only; settling such a row could settle another. */
    return outbox_fail(
        error, OUTBOX_SCHEMA, "",
        "%s: table %.100s has due events whose %.100s is NULL or not unique; correct them "
        "and put a UNIQUE index on the column",
        doing, session->store->columns.table, session->store->columns.names[ROLE_EVENT_ID]);
}

enum outbox_status claim_check_request(const struct outbox_claim_request *request,
                                       struct outbox_error *error)
{
    if (request->max_events == 0)
        return outbox_fail(error, OUTBOX_INVALID, "", "%s: max_events is 0", doing);
    if (!request->token.data || request->token.len == 0 || request->token.len > TOKEN_MAX)
        return outbox_fail(error, OUTBOX_INVALID, "",
                           "%s: the token has %" PRIu64 " bytes; it must have 1 to %d", doing,
                           request->token.data ? request->token.len : 0, TOKEN_MAX);
    return OUTBOX_OK;
}

enum outbox_status claim_in_transaction(struct outbox_session *session,
                                        const struct outbox_claim_request *request,
                                        struct claim **claim, struct outbox_error *error)
{
    *claim = NULL;
    struct claim *made = claim_new(session);
    if (!made)
        return failure_no_memory(doing, error);
    memcpy(made->token, request->token.data, request->token.len);
    made->token_len = (int)request->token.len;
    enum outbox_status status = find_due(session, request, made, error);
    if (status == OUTBOX_OK && made->base.count > 0)
        status = mark_claimed(session, made, error);
    if (status != OUTBOX_OK) {
        claim_recycle(session, made);
        return status;
    }
    made->base.events = made->events;
    *claim = made;
    return OUTBOX_OK;
}

/* Whether anything is due, without the write lock: an idle relay that polls costs producers
 * nothing. */
static enum outbox_status look(struct outbox_session *session, bool *due,
                               struct outbox_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum outbox_status status = session_statement(session, STATEMENT_DUE, &statement, error);
    if (status != OUTBOX_OK)
        return status;
    int code = sqlite3_step(statement);
    *due = code == SQLITE_ROW;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = failure(session, doing, error);
    (void)sqlite3_reset(statement); /* repeats a failure already taken */
    return status;
}

static enum outbox_status claim_nothing(struct outbox_session *session, struct outbox_claim **claim,
                                        struct outbox_error *error)
{
    /* A file that was replaced would look idle for ever. */
    enum outbox_status status = session_check_file(session, error);
    if (status != OUTBOX_OK)
        return status;
    struct claim *made = claim_new(session);
    if (!made)
        return failure_no_memory(doing, error);
    made->token_len = 0;
    made->base.events = made->events;
    *claim = &made->base;
    return OUTBOX_OK;
}

enum outbox_status store_claim(struct outbox_session *session,
                               const struct outbox_claim_request *request,
                               struct outbox_claim **claim, struct outbox_error *error)
{
    bool due = false;
    enum outbox_status status = claim_check_request(request, error);
    if (status == OUTBOX_OK)
        status = session_ready(session, false, error);
    if (status == OUTBOX_OK)
        status = look(session, &due, error);
    if (status != OUTBOX_OK)
        return status;
    if (!due)
        return claim_nothing(session, claim, error);
    status = transaction_begin(session, doing, error);
    if (status != OUTBOX_OK)
        return status;
    struct claim *made = NULL;
    status = claim_in_transaction(session, request, &made, error);
    status = transaction_end(session, status, doing, error);
    if (status == OUTBOX_OK)
        *claim = &made->base;
    else if (made)
        claim_recycle(session, made);
    return status;
}
