/*
 * claim_events.c - the memory of a claim, and rows copied into it
 * SPDX-License-Identifier: MIT
 */
#include "claim.h"

#include <stdlib.h>

/* Columns of STATEMENT_CLAIM and STATEMENT_READ, behind the number of the row in the table, or in
 * the claim. */
enum {
    AT_ID = 1,
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

struct claim *claim_new(struct outbox_session *session)
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

bool claim_grow(struct claim *claim)
{
    if (claim->base.count < claim->capacity)
        return true;
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

static bool keep_id(struct claim *claim, sqlite3_stmt *row, struct outbox_slice *stored,
                    struct outbox_slice *id)
{
    if (!keep_column(claim, row, AT_ID, stored))
        return false;
    *id = *stored;
    return sqlite3_column_type(row, AT_ID) != SQLITE_BLOB || id_of_bytes(claim, *stored, id);
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

bool claim_keep_event(struct claim *claim, sqlite3_stmt *row, uint64_t max_payload,
                      struct outbox_event *event, struct outbox_slice *stored)
{
    *event = (struct outbox_event){.attempts = sqlite3_column_int64(row, AT_ATTEMPTS)};
    if (!keep_id(claim, row, stored, &event->id) ||
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
    return true;
}

bool claim_keep_key(struct claim *claim, sqlite3_stmt *row, struct claimed_row *kept)
{
    kept->key_type = sqlite3_column_type(row, 0);
    kept->number = sqlite3_column_int64(row, 0);
    kept->place = sqlite3_column_int64(row, 1);
    return keep_column(claim, row, 0, &kept->bytes);
}
