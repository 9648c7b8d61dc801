/*
 * key.c - what finds rows again, and where they stand in the order of claims
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <endian.h>
#include <stdlib.h>

static enum kind key_kind(const struct table *table)
{
    return table->columns[table->key].kind;
}

static bool is_number(enum kind kind)
{
    return kind == KIND_INTEGER || kind == KIND_UNSIGNED;
}

/* ---- Lists of keys ------------------------------------------------------------------------ */

void keys_reset(struct keys *keys)
{
    keys->count = 0;
    keys->failed = false;
}

void keys_add(struct keys *keys, struct key key)
{
    if (keys->count == keys->capacity) {
        size_t capacity = keys->capacity ? 2 * keys->capacity : 64;
        struct key *list = realloc(keys->list, capacity * sizeof(*list));
        if (!list) {
            keys->failed = true;
            return;
        }
        keys->list = list;
        keys->capacity = capacity;
    }
    keys->list[keys->count++] = key;
}

static int compare(const void *first, const void *second)
{
    const struct key *a = first, *b = second;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    uint64_t shorter = a->bytes.len < b->bytes.len ? a->bytes.len : b->bytes.len;
    int order = shorter > 0 ? memcmp(a->bytes.data, b->bytes.data, shorter) : 0;
    if (order != 0)
        return order;
    return a->bytes.len < b->bytes.len ? -1 : a->bytes.len > b->bytes.len;
}

/* Claims come by time, which is nearly always the order of a sequence. */
void keys_sort(struct keys *keys)
{
    bool sorted = true;
    for (size_t i = 1; i < keys->count && sorted; i++)
        sorted = compare(&keys->list[i - 1], &keys->list[i]) <= 0;
    if (!sorted)
        qsort(keys->list, keys->count, sizeof(*keys->list), compare);
}

void keys_clear(struct keys *keys)
{
    free(keys->list);
    *keys = (struct keys){0};
}

void push_key(struct outbox_session *session, const struct key *key)
{
    switch (key_kind(&session->table)) {
    case KIND_INTEGER:
        parameter_integer(session, (int64_t)key->number);
        return;
    case KIND_UNSIGNED:
        parameter_unsigned(session, key->number);
        return;
    case KIND_UUID_BYTES:
        parameter_bytes(session, key->bytes);
        return;
    default:
        parameter_text(session, key->bytes);
        return;
    }
}

unsigned keys_push(struct outbox_session *session, const struct keys *keys)
{
    unsigned size = size_for(keys->count);
    session->parameters.failed |= keys->failed;
    for (size_t i = 0; i < size_count(size) && keys->count > 0; i++)
        push_key(session, &keys->list[i < keys->count ? i : keys->count - 1]);
    keys_push_span(session, keys);
    return size;
}

void keys_push_span(struct outbox_session *session, const struct keys *keys)
{
    int64_t least = INT64_MAX, greatest = INT64_MIN;
    if (!table_has_span(&session->table))
        return;
    for (size_t i = 0; i < keys->count; i++) {
        int64_t seconds = keys->list[i].created_ts;
        least = seconds < least ? seconds : least;
        greatest = seconds > greatest ? seconds : greatest;
    }
    session->parameters.failed |= keys->failed;
    parameter_integer(session, least);
    parameter_integer(session, greatest);
}

/* ---- Places in the order of claims -------------------------------------------------------- */

/* A signed number whose order is that of unsigned ones; and back. */
static int64_t ordered(uint64_t number)
{
    return (int64_t)(number ^ (UINT64_C(1) << 63));
}

static uint64_t unordered(int64_t number)
{
    return (uint64_t)number ^ (UINT64_C(1) << 63);
}

void position_tie(const struct table *table, struct position *position, int64_t number,
                  const MYSQL_TIME *time, const char bytes[16])
{
    uint64_t halves[2];
    if (table->tie == ROLE_NONE)
        return;
    switch (table->columns[table->tie].kind) {
    case KIND_INSTANT:
        position->tie = instant_of(time);
        return;
    case KIND_UUID_BYTES:
        memcpy(halves, bytes, sizeof(halves));
        position->tie = ordered(be64toh(halves[0]));
        position->rest = be64toh(halves[1]);
        return;
    case KIND_UNSIGNED:
        position->tie = ordered((uint64_t)number);
        return;
    default:
        position->tie = number;
        return;
    }
}

struct position position_beyond(const struct table *table, struct position position)
{
    struct position beyond = position;
    if (table->tie != ROLE_SEQ && table->tie != ROLE_EVENT_ID)
        return position;
    if (table->columns[table->tie].kind == KIND_UUID_BYTES && ++beyond.rest != 0)
        return beyond;
    if (beyond.tie == INT64_MAX)
        return position;
    beyond.tie++;
    return beyond;
}

bool position_of_key(const struct table *table, const struct key *key, struct position *position)
{
    if (table->tie != table->key || table_has(table, ROLE_AVAILABLE_AT) || !table_has_places(table))
        return false;
    *position = POSITION_FIRST;
    position_tie(table, position, (int64_t)key->number, NULL, key->bytes.data);
    return true;
}

/* `bytes` is where an id is put together; it stays until the statement has run. */
static void push_tie(struct outbox_session *session, struct position position, char bytes[16])
{
    uint64_t halves[2];
    switch (session->table.columns[session->table.tie].kind) {
    case KIND_INSTANT:
        parameter_instant(session, position.tie);
        return;
    case KIND_UUID_BYTES:
        halves[0] = htobe64(unordered(position.tie));
        halves[1] = htobe64(position.rest);
        memcpy(bytes, halves, sizeof(halves));
        parameter_bytes(session, (struct outbox_slice){bytes, 16});
        return;
    case KIND_UNSIGNED:
        parameter_unsigned(session, unordered(position.tie));
        return;
    default:
        parameter_integer(session, position.tie);
        return;
    }
}

static void push_bound(struct outbox_session *session, struct position position, bool before)
{
    const struct table *table = &session->table;
    bool by_time = table_has(table, ROLE_AVAILABLE_AT), by_tie = table->tie != ROLE_NONE;
    if (!table_has_places(table))
        return;
    if (by_time && (by_tie || !before))
        parameter_instant(session, position.at);
    if (by_tie)
        push_tie(session, position, session->tie_bytes);
    if (by_time && (by_tie || before))
        parameter_instant(session, position.at);
}

void push_from(struct outbox_session *session, struct position position)
{
    push_bound(session, position, false);
}

void push_before(struct outbox_session *session, struct position position)
{
    push_bound(session, position, true);
}

/* ---- Rows that a statement found ---------------------------------------------------------- */

/* What each of its columns is bound to: the key, the two of the order, and the rest. */
enum { KEY, AT, TIE, CREATED_TS, ATTEMPTS, COLUMNS };
enum { KEY_MAX = 3 * INDEX_MAX }; /* in UTF-8, of a character set with one byte for each */

struct row {
    MYSQL_BIND binds[COLUMNS];
    client_bool nulls[COLUMNS];
    unsigned long key_len;
    char key[KEY_MAX];
    uint64_t key_number;
    MYSQL_TIME at, tie_time;
    int64_t tie, created_ts, attempts;
    char tie_bytes[16];
};

static void bind_key(const struct table *table, struct row *row)
{
    MYSQL_BIND *bind = &row->binds[KEY];
    enum kind kind = key_kind(table);
    if (is_number(kind)) {
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &row->key_number;
        bind->is_unsigned = kind == KIND_UNSIGNED;
        return;
    }
    bind->buffer_type = kind == KIND_UUID_BYTES ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
    bind->buffer = row->key;
    bind->buffer_length = sizeof(row->key);
    bind->length = &row->key_len;
}

/* What a tie without places becomes here is of no use to anybody. */
static void bind_tie(const struct table *table, struct row *row)
{
    MYSQL_BIND *bind = &row->binds[TIE];
    enum kind kind = table->tie == ROLE_NONE ? KIND_INTEGER : table->columns[table->tie].kind;
    if (kind == KIND_INSTANT) {
        bind->buffer_type = MYSQL_TYPE_DATETIME;
        bind->buffer = &row->tie_time;
    } else if (kind == KIND_UUID_BYTES) {
        bind->buffer_type = MYSQL_TYPE_BLOB;
        bind->buffer = row->tie_bytes;
        bind->buffer_length = sizeof(row->tie_bytes);
    } else {
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &row->tie;
        bind->is_unsigned = kind == KIND_UNSIGNED;
    }
}

static void bind_row(const struct table *table, struct row *row)
{
    bind_key(table, row);
    bind_tie(table, row);
    row->binds[AT].buffer_type = MYSQL_TYPE_DATETIME;
    row->binds[AT].buffer = &row->at;
    row->binds[CREATED_TS].buffer_type = MYSQL_TYPE_LONGLONG;
    row->binds[CREATED_TS].buffer = &row->created_ts;
    row->binds[ATTEMPTS].buffer_type = MYSQL_TYPE_LONGLONG;
    row->binds[ATTEMPTS].buffer = &row->attempts;
    for (int i = 0; i < COLUMNS; i++)
        row->binds[i].is_null = &row->nulls[i];
}

static bool reserve(struct found_list *found)
{
    if (found->count < found->capacity)
        return true;
    size_t capacity = found->capacity ? 2 * found->capacity : 64;
    struct found *list = realloc(found->list, capacity * sizeof(*list));
    if (!list)
        return false;
    found->list = list;
    found->capacity = capacity;
    return true;
}

static bool keep_row(const struct table *table, struct found_list *found, const struct row *row)
{
    if (!reserve(found))
        return false;
    struct found *kept = &found->list[found->count];
    *kept = (struct found){.key = {.created_ts = row->created_ts},
                           .position = POSITION_FIRST,
                           .attempts = row->nulls[ATTEMPTS] ? 0 : row->attempts};
    if (is_number(key_kind(table))) {
        kept->key.number = row->key_number;
    } else {
        size_t len = row->key_len < KEY_MAX ? row->key_len : KEY_MAX;
        char *copy = arena_take(&found->memory, len);
        if (!copy)
            return false;
        memcpy(copy, row->key, len);
        kept->key.bytes = (struct outbox_slice){copy, len};
    }
    if (table_has(table, ROLE_AVAILABLE_AT))
        kept->position.at = instant_of(&row->at);
    position_tie(table, &kept->position, row->tie, &row->tie_time, row->tie_bytes);
    found->count++;
    return true;
}

enum outbox_status found_read(struct outbox_session *session, MYSQL_STMT *statement,
                              const char *what, struct outbox_error *error)
{
    struct found_list *found = &session->found;
    struct row row = {.attempts = 0};
    bool kept = true;
    found->count = 0;
    arena_empty(&found->memory);
    bind_row(&session->table, &row);
    if (mysql_stmt_bind_result(statement, row.binds) != 0)
        return failure_of_memory(error);
    enum outbox_status status;
    bool more;
    while ((status = statement_fetch(session, statement, what, &more, error)) == OUTBOX_OK && more)
        kept = kept && keep_row(&session->table, found, &row);
    if (status != OUTBOX_OK)
        return status;
    return kept ? OUTBOX_OK : failure_of_memory(error);
}

void found_clear(struct found_list *found)
{
    free(found->list);
    arena_clear(&found->memory);
    *found = (struct found_list){0};
}
