/*
 * rows.c - reads the rows of a claim into its memory
 * SPDX-License-Identifier: MIT
 *
 * Rows are taken from the connection one by one. What has no fixed size is first asked for with no
 * room at all, which gives its length, and then fetched to where it stays: each byte is copied
 * once, out of the library's buffer.
 */
#include "claim.h"
#include "uuid.h"

#include <stdlib.h>

enum { COLUMNS_MAX = ROLE_COUNT + 4 };

/* Numbers, dates and lengths of the row at hand, by the column of the result. */
struct row {
    MYSQL_BIND binds[COLUMNS_MAX];
    unsigned long lengths[COLUMNS_MAX];
    client_bool nulls[COLUMNS_MAX];
    client_bool cut[COLUMNS_MAX];
    int64_t numbers[COLUMNS_MAX];
    MYSQL_TIME times[COLUMNS_MAX];
    int field[ROLE_COUNT];
    int size_field; /* of the payload's size; a flag and two dates may follow */
    bool has_utc;
};

static bool is_number(enum kind kind)
{
    return kind == KIND_INTEGER || kind == KIND_UNSIGNED;
}

/* ---- Binding ------------------------------------------------------------------------------ */

static void bind_fixed(struct row *row, int column, enum kind kind)
{
    MYSQL_BIND *bind = &row->binds[column];
    if (kind == KIND_INSTANT) {
        bind->buffer_type = MYSQL_TYPE_DATETIME;
        bind->buffer = &row->times[column];
    } else {
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &row->numbers[column];
        bind->is_unsigned = kind == KIND_UNSIGNED;
    }
}

static void bind_rows(const struct table *table, struct row *row)
{
    row->size_field = sql_fields(table, row->field);
    row->has_utc = table->local_time;
    for (int column = 0; column < row->size_field + 4; column++) {
        row->binds[column] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
                                          .length = &row->lengths[column],
                                          .is_null = &row->nulls[column],
                                          .error = &row->cut[column]};
    }
    bind_fixed(row, row->size_field, KIND_INTEGER);
    bind_fixed(row, row->size_field + 1, KIND_INTEGER);
    for (int i = 2; i < 4; i++)
        bind_fixed(row, row->size_field + i, KIND_INSTANT);
    for (int role = 0; role < ROLE_COUNT; role++) {
        int column = row->field[role];
        enum kind kind = table->columns[role].kind;
        if (column < 0)
            continue;
        if (role == ROLE_PAYLOAD || kind == KIND_UUID_BYTES)
            row->binds[column].buffer_type = MYSQL_TYPE_BLOB;
        else if (is_clock((enum role)role) || role == ROLE_ATTEMPTS || role == ROLE_SEQ ||
                 role == ROLE_CREATED_TS)
            bind_fixed(row, column, kind);
        else if (role == ROLE_EVENT_ID && is_number(kind))
            bind_fixed(row, column, kind);
    }
}

/* ---- Room for the events ------------------------------------------------------------------ */

static bool grow(struct claim *claim)
{
    size_t capacity = claim->capacity ? 2 * claim->capacity : 64;
    struct outbox_event *events = realloc(claim->events, capacity * sizeof(*events));
    if (events)
        claim->events = events;
    struct placed *placed = realloc(claim->placed, capacity * sizeof(*placed));
    if (placed)
        claim->placed = placed;
    claim->public.events = claim->events;
    if (!events || !placed)
        return false;
    claim->capacity = capacity;
    return true;
}

/* ---- One row ------------------------------------------------------------------------------ */

/* Fetches what was bound without room. An absent value leaves *slice as it is. */
static bool fetch(MYSQL_STMT *statement, struct claim *claim, struct row *row, int column,
                  struct outbox_slice *slice)
{
    if (column < 0 || row->nulls[column])
        return true;
    unsigned long len = row->lengths[column];
    char *bytes = arena_take(&claim->memory, len + 1); /* a library may add a NUL */
    if (!bytes)
        return false;
    *slice = (struct outbox_slice){bytes, len};
    if (len == 0)
        return true;
    MYSQL_BIND bind = {.buffer_type = row->binds[column].buffer_type,
                       .buffer = bytes,
                       .buffer_length = len + 1,
                       .length = &row->lengths[column],
                       .is_null = &row->nulls[column],
                       .error = &row->cut[column]};
    return mysql_stmt_fetch_column(statement, &bind, (unsigned)column, 0) == 0;
}

static bool format_number(struct claim *claim, int64_t number, bool is_unsigned,
                          struct outbox_slice *text)
{
    char *digits = arena_take(&claim->memory, 24);
    if (!digits)
        return false;
    int len = is_unsigned ? snprintf(digits, 24, "%llu", (unsigned long long)number)
                          : snprintf(digits, 24, "%lld", (long long)number);
    *text = (struct outbox_slice){digits, (uint64_t)len};
    return true;
}

/* The id as the relay sees it, and as the table has it. */
static bool read_id(MYSQL_STMT *statement, const struct table *table, struct claim *claim,
                    struct row *row, struct outbox_event *event, struct key *key)
{
    int column = row->field[ROLE_EVENT_ID];
    enum kind kind = table->columns[ROLE_EVENT_ID].kind;
    if (is_number(kind)) {
        key->number = (uint64_t)row->numbers[column];
        return format_number(claim, row->numbers[column], kind == KIND_UNSIGNED, &event->id);
    }
    if (!fetch(statement, claim, row, column, &event->id))
        return false;
    key->bytes = event->id;
    if (kind != KIND_UUID_BYTES || event->id.len != UUID_BYTES)
        return true;
    char *text = arena_take(&claim->memory, UUID_TEXT);
    if (!text)
        return false;
    uuid_format(event->id.data, text);
    event->id = (struct outbox_slice){text, UUID_TEXT};
    return true;
}

static int64_t instant(const struct row *row, enum role role, int64_t otherwise)
{
    int column = row->field[role];
    return column < 0 || row->nulls[column] ? otherwise : instant_of(&row->times[column]);
}

static int64_t utc(const struct row *row, enum role role, int64_t otherwise)
{
    int column = row->size_field + (role == ROLE_CREATED_AT ? 2 : 3);
    if (!row->has_utc)
        return instant(row, role, otherwise);
    return row->nulls[column] ? otherwise : instant_of(&row->times[column]);
}

static int64_t number(const struct row *row, enum role role)
{
    int column = row->field[role];
    return column < 0 || row->nulls[column] ? 0 : row->numbers[column];
}

static void place(const struct table *table, const struct row *row, struct placed *placed,
                  const struct key *id)
{
    static const char none[UUID_BYTES];
    placed->position = POSITION_FIRST;
    placed->position.at = instant(row, ROLE_AVAILABLE_AT, INT64_MIN);
    int tie = table->tie == ROLE_NONE ? -1 : row->field[table->tie];
    if (tie >= 0)
        position_tie(table, &placed->position, row->numbers[tie], &row->times[tie],
                     id->bytes.len == UUID_BYTES ? id->bytes.data : none);
    placed->key = *id;
    if (table->key != ROLE_EVENT_ID)
        placed->key = (struct key){.number = (uint64_t)row->numbers[row->field[table->key]]};
    placed->key.created_ts = number(row, ROLE_CREATED_TS);
}

static bool read_payload(MYSQL_STMT *statement, struct claim *claim, struct row *row,
                         struct outbox_event *event)
{
    if (!fetch(statement, claim, row, row->field[ROLE_PAYLOAD], &event->payload))
        return false;
    if (event->payload.data)
        event->payload_size = event->payload.len; /* in the connection's character set */
    else if (row->nulls[row->size_field])
        event->payload = (struct outbox_slice){"", 0};
    else
        event->payload_size = (uint64_t)row->numbers[row->size_field];
    return true;
}

static bool read_event(MYSQL_STMT *statement, struct claim *claim, struct row *row,
                       struct outbox_event *event)
{
    if (!read_payload(statement, claim, row, event))
        return false;
    const struct {
        enum role role;
        struct outbox_slice *slice;
    } texts[] = {{ROLE_EVENT_TYPE, &event->type},
                 {ROLE_HEADERS, &event->headers},
                 {ROLE_PARTITION_KEY, &event->partition_key},
                 {ROLE_ORDERING_KEY, &event->ordering_key},
                 {ROLE_AGGREGATE_TYPE, &event->aggregate_type},
                 {ROLE_AGGREGATE_ID, &event->aggregate_id}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!fetch(statement, claim, row, row->field[texts[i].role], texts[i].slice))
            return false;
    event->available_at = utc(row, ROLE_AVAILABLE_AT, 0);
    event->created_at = utc(row, ROLE_CREATED_AT, event->available_at);
    return true;
}

/* A statement begins at the last place that the one before it has seen, and may find again what is
 * there. */
static bool was_found(const struct table *table, const struct scan *scan, struct position position)
{
    return scan->found > 0 &&
           (!table_has_places(table) || position_compare(position, scan->from) == 0);
}

static bool is_same_key(const struct key *a, const struct key *b)
{
    return a->number == b->number && a->bytes.len == b->bytes.len &&
           (a->bytes.len == 0 || memcmp(a->bytes.data, b->bytes.data, (size_t)a->bytes.len) == 0);
}

static bool was_taken(const struct claim *claim, const struct key *key)
{
    for (uint64_t i = claim->public.count; i-- > 0;)
        if (is_same_key(&claim->placed[i].key, key))
            return true;
    return false;
}

static void note(const struct table *table, struct scan *next, struct position position)
{
    bool tied = !table_has_places(table) || position_compare(position, next->last) == 0;
    next->tied = tied ? next->tied + 1 : 1;
    next->last = position;
    next->found++;
}

static bool read_row(MYSQL_STMT *statement, const struct table *table, struct claim *claim,
                     uint64_t most, const struct scan *scan, struct scan *next, struct row *row)
{
    if (claim->public.count == claim->capacity && !grow(claim))
        return false;
    struct outbox_event *event = &claim->events[claim->public.count];
    struct placed *placed = &claim->placed[claim->public.count];
    struct key id = {.number = 0};
    *event = (struct outbox_event){.attempts = number(row, ROLE_ATTEMPTS)};
    if (!read_id(statement, table, claim, row, event, &id))
        return false;
    place(table, row, placed, &id);
    note(table, next, placed->position);
    if (row->numbers[row->size_field + 1] == 0 || claim->public.count == most ||
        (was_found(table, scan, placed->position) && was_taken(claim, &placed->key)))
        return true;
    if (!read_event(statement, claim, row, event))
        return false;
    claim->public.count++;
    return true;
}

enum outbox_status rows_read(struct outbox_session *session, MYSQL_STMT *statement,
                             struct claim *claim, uint64_t most, struct scan *scan,
                             struct outbox_error *error)
{
    static const char what[] = "claim events from";
    struct row row = {.size_field = -1};
    struct scan next = {.from = scan->from, .last = scan->last, .found = scan->found};
    bool read = true;
    bind_rows(&session->table, &row);
    if (mysql_stmt_bind_result(statement, row.binds) != 0)
        return failure_of_server(session, mysql_stmt_errno(statement), mysql_stmt_error(statement),
                                 what, error);
    enum outbox_status status;
    bool more;
    while ((status = statement_fetch(session, statement, what, &more, error)) == OUTBOX_OK && more)
        read = read && read_row(statement, &session->table, claim, most, scan, &next, &row);
    if (status != OUTBOX_OK)
        return status;
    *scan = next;
    if (read)
        return OUTBOX_OK;
    return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM", "%s %s: out of memory", what,
                       session->store->names.table);
}
