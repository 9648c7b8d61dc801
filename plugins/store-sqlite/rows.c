/*
 * rows.c - the rows of a claim as a table that SQL can read
 * SPDX-License-Identifier: MIT
 */
#include "rows.h"

#include <stdlib.h>

#define POINTER_TYPE "outbox-row-set"

/* For a dead event that stays pending, where the relay says nothing of it, being of a version that
 * gives it no delay. Microseconds. */
#define BURIED_DELAY INT64_C(3600000000)

enum { COLUMN_KEY, COLUMN_ERROR, COLUMN_AVAILABLE, COLUMN_CHARGE, COLUMN_SET };

static const char declaration[] = "CREATE TABLE rows(key,error,available,charge,row_set HIDDEN)";

struct cursor {
    sqlite3_vtab_cursor base; /* first: SQLite's view of it */
    const struct row_set *set;
    uint64_t at; /* in the settlements, or in the claim's rows */
};

uint32_t settlement_verdict(const struct outbox_settlement *settlement, bool buries)
{
    bool dead = settlement->verdict == OUTBOX_SETTLE_DEAD;
    return dead && !buries ? OUTBOX_SETTLE_RETRY : settlement->verdict;
}

int64_t settlement_delay(const struct outbox_settlement *settlement)
{
    if (settlement->verdict == OUTBOX_SETTLE_DEAD && settlement->delay <= 0)
        return BURIED_DELAY;
    return settlement->delay > 0 ? settlement->delay : 0;
}

static uint64_t set_count(const struct row_set *set)
{
    if (!set)
        return 0;
    return set->settle ? set->settle->count : set->claim->base.count;
}

static const struct outbox_settlement *settlement_at(const struct cursor *cursor)
{
    return cursor->set->settle ? outbox_settlement_at(cursor->set->settle, cursor->at) : NULL;
}

static void skip_other_verdicts(struct cursor *cursor)
{
    while (cursor->at < set_count(cursor->set)) {
        const struct outbox_settlement *settlement = settlement_at(cursor);
        if (!settlement ||
            settlement_verdict(settlement, cursor->set->buries) == cursor->set->verdict)
            return;
        cursor->at++;
    }
}

static int rows_connect(sqlite3 *db, void *context, int argument_count,
                        const char *const *arguments, sqlite3_vtab **table, char **error)
{
    (void)context;
    (void)argument_count;
    (void)arguments;
    (void)error;
    int code = sqlite3_declare_vtab(db, declaration);
    if (code != SQLITE_OK)
        return code;
    *table = calloc(1, sizeof(**table));
    return *table ? SQLITE_OK : SQLITE_NOMEM;
}

static int rows_disconnect(sqlite3_vtab *table)
{
    free(table);
    return SQLITE_OK;
}

/* The one plan there is: everything, given the parameter. A batch has a few hundred rows, against
 * what is taken for a table of a million: so SQLite goes through the rows and looks each up in the
 * table. */
static int rows_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        if (constraint->iColumn != COLUMN_SET || constraint->op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        if (!constraint->usable)
            return SQLITE_CONSTRAINT;
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
    }
    info->estimatedCost = 500;
    info->estimatedRows = 500;
    return SQLITE_OK;
}

static int rows_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
    (void)table;
    struct cursor *made = calloc(1, sizeof(*made));
    if (!made)
        return SQLITE_NOMEM;
    *cursor = &made->base;
    return SQLITE_OK;
}

static int rows_close(sqlite3_vtab_cursor *cursor)
{
    free(cursor);
    return SQLITE_OK;
}

static int rows_filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int count,
                       sqlite3_value **values)
{
    (void)plan;
    (void)plan_text;
    struct cursor *cursor = (struct cursor *)base;
    cursor->set = count > 0 ? sqlite3_value_pointer(values[0], POINTER_TYPE) : NULL;
    cursor->at = 0;
    skip_other_verdicts(cursor);
    return SQLITE_OK;
}

static int rows_next(sqlite3_vtab_cursor *base)
{
    struct cursor *cursor = (struct cursor *)base;
    cursor->at++;
    skip_other_verdicts(cursor);
    return SQLITE_OK;
}

static int rows_eof(sqlite3_vtab_cursor *base)
{
    const struct cursor *cursor = (const struct cursor *)base;
    return cursor->at >= set_count(cursor->set);
}

static void give_key(sqlite3_context *context, const struct claimed_row *row)
{
    if (row->key_type == SQLITE_INTEGER)
        sqlite3_result_int64(context, row->number);
    else if (row->key_type == SQLITE_BLOB)
        sqlite3_result_blob64(context, row->bytes.data, row->bytes.len, SQLITE_STATIC);
    else
        sqlite3_result_text64(context, row->bytes.data, row->bytes.len, SQLITE_STATIC, SQLITE_UTF8);
}

/* The bytes of the first so many characters; a byte that begins none counts with the one before. */
static uint64_t length_of(struct outbox_slice text, uint32_t chars)
{
    uint64_t at = 0;
    for (uint32_t count = 0; at < text.len; at++) {
        bool begins = ((unsigned char)text.data[at] & 0xc0) != 0x80;
        if (begins && count++ == chars)
            break;
    }
    return at;
}

static void give_error(sqlite3_context *context, const struct row_set *set,
                       const struct outbox_settlement *settlement)
{
    struct outbox_slice error = settlement->error;
    if (error.data && set->error_chars > 0)
        error.len = length_of(error, set->error_chars);
    if (error.data)
        sqlite3_result_text64(context, error.data, error.len, SQLITE_STATIC, SQLITE_UTF8);
}

/* A retry is an attempt; what is dead says so itself. */
static int charge_of(const struct outbox_settlement *settlement)
{
    return settlement->verdict == OUTBOX_SETTLE_RETRY || settlement->charge ? 1 : 0;
}

static void give_available(sqlite3_context *context, const struct row_set *set,
                           const struct outbox_settlement *settlement)
{
    struct instant available = instant_of(instant_add(set->now, settlement_delay(settlement)));
    sqlite3_result_text(context, available.text, INSTANT_LEN, SQLITE_TRANSIENT);
}

/* A column that nothing is given for is NULL. */
static int rows_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct cursor *cursor = (const struct cursor *)base;
    const struct outbox_settlement *settlement = settlement_at(cursor);
    if (column == COLUMN_KEY)
        give_key(context, &cursor->set->claim->rows[settlement ? settlement->index : cursor->at]);
    else if (settlement && column == COLUMN_ERROR)
        give_error(context, cursor->set, settlement);
    else if (settlement && column == COLUMN_AVAILABLE)
        give_available(context, cursor->set, settlement);
    else if (settlement && column == COLUMN_CHARGE)
        sqlite3_result_int(context, charge_of(settlement));
    return SQLITE_OK;
}

static int rows_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((const struct cursor *)base)->at;
    return SQLITE_OK;
}

int rows_register(sqlite3 *db)
{
    /* No xCreate: it exists as a function only, no one can make a table of it. */
    static const sqlite3_module module = {
        .xConnect = rows_connect,
        .xBestIndex = rows_best_index,
        .xDisconnect = rows_disconnect,
        .xOpen = rows_open,
        .xClose = rows_close,
        .xFilter = rows_filter,
        .xNext = rows_next,
        .xEof = rows_eof,
        .xColumn = rows_column,
        .xRowid = rows_rowid,
    };
    return sqlite3_create_module_v2(db, "outbox_relay_rows", &module, NULL, NULL);
}

void rows_bind(sqlite3_stmt *statement, int parameter, const struct row_set *set)
{
    /* SQLite only hands the pointer back, to rows_filter(). */
    (void)sqlite3_bind_pointer(statement, parameter, (void *)(uintptr_t)set, POINTER_TYPE, NULL);
}
