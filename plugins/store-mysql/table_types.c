/*
 * table_types.c - what type a column has, and whether its role can live with it
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <stdarg.h>
#include <stdlib.h>

/* The kinds that a role can live with, as bits, and in words. */
#define KINDS(kind) (UINT32_C(1) << (kind))
#define ANY_TEXT (KINDS(KIND_TEXT) | KINDS(KIND_ENUM))
#define ANY_NUMBER (KINDS(KIND_INTEGER) | KINDS(KIND_UNSIGNED))

struct expected {
    uint32_t kinds; /* 0: any */
    const char *words;
};

static const struct expected expected[ROLE_COUNT] = {
    [ROLE_EVENT_ID] = {KINDS(KIND_UUID_BYTES) | KINDS(KIND_UUID) | KINDS(KIND_TEXT) | ANY_NUMBER,
                       "BINARY(16), CHAR(36), VARCHAR, UUID or an integer"},
    [ROLE_EVENT_TYPE] = {0, "VARCHAR"},
    [ROLE_PARTITION_KEY] = {0, "VARCHAR"},
    [ROLE_PAYLOAD] = {KINDS(KIND_BYTES) | KINDS(KIND_TEXT) | KINDS(KIND_JSON) |
                          KINDS(KIND_UUID_BYTES),
                      "LONGBLOB, another BLOB, TEXT or JSON"},
    [ROLE_HEADERS] = {KINDS(KIND_JSON) | KINDS(KIND_TEXT) | KINDS(KIND_BYTES), "JSON or TEXT"},
    [ROLE_STATUS] = {ANY_TEXT | ANY_NUMBER, "ENUM, VARCHAR or an integer"},
    [ROLE_ATTEMPTS] = {ANY_NUMBER, "an integer"},
    [ROLE_LAST_ERROR] = {KINDS(KIND_TEXT), "TEXT or VARCHAR"},
    [ROLE_AVAILABLE_AT] = {KINDS(KIND_INSTANT), "TIMESTAMP(6) or DATETIME(6)"},
    [ROLE_LOCKED_BY] = {KINDS(KIND_TEXT), "VARCHAR(128)"},
    [ROLE_LOCKED_AT] = {KINDS(KIND_INSTANT), "TIMESTAMP(6) or DATETIME(6)"},
    [ROLE_DELIVERED_AT] = {KINDS(KIND_INSTANT), "TIMESTAMP(6) or DATETIME(6)"},
    [ROLE_CREATED_AT] = {KINDS(KIND_INSTANT), "TIMESTAMP(6) or DATETIME(6)"},
    [ROLE_UPDATED_AT] = {KINDS(KIND_INSTANT), "TIMESTAMP(6) or DATETIME(6)"},
    [ROLE_ORDERING_KEY] = {0, "VARCHAR"},
    [ROLE_AGGREGATE_TYPE] = {0, "VARCHAR"},
    [ROLE_AGGREGATE_ID] = {0, "VARCHAR"},
    [ROLE_SEQ] = {ANY_NUMBER, "BIGINT UNSIGNED"},
    [ROLE_CREATED_TS] = {ANY_NUMBER, "BIGINT"},
};

/* The longest token of a claim. */
enum { TOKEN_MAX = 120 };

const char *role_types(enum role role)
{
    return expected[role].words;
}

void table_problem(struct table *table, const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    buffer_text(&table->problems, "%s%s", table->problems.len > 0 ? "\n" : "", line);
}

static bool is_any(const char *type, const char *const *names)
{
    for (; *names; names++)
        if (strcasecmp(type, *names) == 0)
            return true;
    return false;
}

static enum kind kind_of(const struct found_column *found)
{
    static const char *const texts[] = {"char",       "varchar",  "tinytext", "text",
                                        "mediumtext", "longtext", NULL};
    static const char *const bytes[] = {"binary",     "varbinary", "tinyblob", "blob",
                                        "mediumblob", "longblob",  NULL};
    static const char *const integers[] = {"tinyint", "smallint", "mediumint",
                                           "int",     "bigint",   NULL};
    static const char *const instants[] = {"timestamp", "datetime", NULL};
    if (strcasecmp(found->full_type, "binary(16)") == 0)
        return KIND_UUID_BYTES;
    if (is_any(found->type, texts))
        return KIND_TEXT;
    if (is_any(found->type, bytes))
        return KIND_BYTES;
    if (is_any(found->type, integers))
        return strstr(found->full_type, "unsigned") ? KIND_UNSIGNED : KIND_INTEGER;
    if (is_any(found->type, instants))
        return KIND_INSTANT;
    if (strcasecmp(found->type, "json") == 0)
        return KIND_JSON;
    if (strcasecmp(found->type, "enum") == 0)
        return KIND_ENUM;
    return strcasecmp(found->type, "uuid") == 0 ? KIND_UUID : KIND_OTHER;
}

static void read_range(struct column *column, const struct found_column *found)
{
    static const struct {
        const char *type;
        int bits;
    } sizes[] = {{"tinyint", 8}, {"smallint", 16}, {"mediumint", 24}, {"int", 32}, {"bigint", 64}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        if (strcasecmp(found->type, sizes[i].type) != 0)
            continue;
        bool is_signed = column->kind == KIND_INTEGER;
        int bits = sizes[i].bits - (is_signed || sizes[i].bits == 64);
        column->greatest = bits == 63 ? INT64_MAX : (INT64_C(1) << bits) - 1;
        column->least = is_signed ? -column->greatest - 1 : 0;
        return;
    }
}

void column_read(struct column *column, const struct found_column *found)
{
    column->exists = true;
    column->kind = kind_of(found);
    column->max_chars = found->max_chars;
    column->max_bytes = found->max_bytes;
    column->nullable = found->nullable;
    column->is_generated = found->is_generated;
    read_range(column, found);
    (void)snprintf(column->type, sizeof(column->type), "%s", found->full_type);
    (void)snprintf(column->charset, sizeof(column->charset), "%s", found->charset);
    (void)snprintf(column->collation, sizeof(column->collation), "%s", found->collation);
}

static bool holds_state(const struct column *column, const struct found_column *found,
                        const char *text, const char *literal)
{
    int64_t number = strtoll(text, NULL, 10);
    switch (column->kind) {
    case KIND_ENUM:
        return strstr(found->full_type, literal) != NULL;
    case KIND_TEXT:
        return strlen(text) <= column->max_chars;
    default:
        return number >= column->least && number <= column->greatest;
    }
}

static void write_state(struct table *table, const struct states *states, enum state state,
                        enum state_kind kind)
{
    struct buffer literal = {0};
    states_literal(states, state, kind, &literal);
    table->problems.failed |= literal.failed;
    (void)snprintf(table->state[state], sizeof(table->state[state]), "%s",
                   literal.data ? literal.data : "");
    buffer_clear(&literal);
}

/* A state that the column cannot hold would be found out when an event has been published. */
static void judge_states(struct table *table, const struct outbox_store *store, const char *name,
                         const struct found_column *found)
{
    const struct column *column = &table->columns[ROLE_STATUS];
    const struct states *states = &store->states;
    bool number = column->kind == KIND_INTEGER || column->kind == KIND_UNSIGNED;
    enum state_kind kind = number ? STATE_AS_INTEGER : STATE_AS_TEXT;
    enum state misfit;
    if (!states_fit(states, kind, &misfit)) {
        table_problem(table, "column %s is %s, which cannot hold \"%s\" for %s: see `states`", name,
                      column->type, states->text[misfit], state_name(misfit));
        return;
    }
    for (enum state state = STATE_PENDING; state < STATE_COUNT; state++) {
        if (!states_have(states, state))
            continue;
        write_state(table, states, state, kind);
        if (holds_state(column, found, states->text[state], table->state[state]))
            continue;
        if (state == STATE_DELIVERING && !is_lease(store))
            table->state[state][0] = '\0'; /* then there is nothing leased */
        else
            table_problem(table, "column %s is %s, which cannot hold \"%s\" for %s: see `states`",
                          name, column->type, states->text[state], state_name(state));
    }
}

void column_judge(struct table *table, const struct outbox_store *store, enum role role,
                  const struct found_column *found)
{
    const struct column *column = &table->columns[role];
    const char *name = store->names.column[role];
    static const enum role emptied[] = {ROLE_LOCKED_BY, ROLE_LOCKED_AT};
    if (expected[role].kinds && !(expected[role].kinds & KINDS(column->kind))) {
        table_problem(table, "column %s is %s, not %s", name, column->type, expected[role].words);
        return;
    }
    if (role == ROLE_STATUS)
        judge_states(table, store, name, found);
    if (role == ROLE_LOCKED_BY && is_lease(store) && column->max_chars < TOKEN_MAX)
        table_problem(table, "column %s is %s, %d characters are needed", name, column->type,
                      TOKEN_MAX);
    for (size_t i = 0; i < sizeof(emptied) / sizeof(emptied[0]); i++)
        if (role == emptied[i] && !found->nullable)
            table_problem(table, "column %s does not allow NULL", name);
}
