/*
 * table_index.c - which indexes a table has, and the order in which claims walk one of them
 * SPDX-License-Identifier: MIT
 */
#include "driver.h"

#include <endian.h>
#include <stdlib.h>

/* Of each usable index: its oid, its first three columns, its condition, whether it keeps its first
 * column unique; in a partitioned table it can do so only together with the partition key. */
const char table_indexes_sql[] =
    "SELECT i.indexrelid, k1.attname, k2.attname, k3.attname,"
    " coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), ''),"
    " i.indisunique AND (i.indnkeyatts = 1 OR c.relkind = 'p')"
    " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid"
    " JOIN pg_catalog.pg_attribute k1 ON k1.attrelid = i.indrelid AND k1.attnum = i.indkey[0]"
    " LEFT JOIN pg_catalog.pg_attribute k2 ON k2.attrelid = i.indrelid AND k2.attnum = i.indkey[1]"
    " LEFT JOIN pg_catalog.pg_attribute k3 ON k3.attrelid = i.indrelid AND k3.attnum = i.indkey[2]"
    " WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indisvalid";

/* An index as one of its rows in the result says. */
struct index {
    const char *keys[4]; /* the last one is "" */
    const char *condition;
    bool is_partial, is_by_status;
};

static bool is_column(const struct outbox_store *store, const char *name, enum role role)
{
    const char *column = store->names.column[role];
    return column && strcmp(name, column) == 0;
}

/* As the server writes it in a condition: "= 'PENDING'", "= 0)". */
static bool is_condition_on(const struct index *index, const struct table *table,
                            const struct outbox_store *store, enum state state)
{
    char words[STATE_TEXT_MAX + 8];
    if (!states_have(&store->states, state))
        return false;
    bool bare = table->state_kind == STATE_AS_INTEGER && store->states.text[state][0] != '-';
    (void)snprintf(words, sizeof(words), bare ? "= %s)" : "= '%s'", store->states.text[state]);
    return strstr(index->condition, words) != NULL;
}

/* The columns by which the events of a state stand in order in the index; NULL: it has none. A
 * status as an equal first key does as well as a condition. */
static const char *const *ordered_keys(const struct index *index, const struct table *table,
                                       const struct outbox_store *store, enum state state)
{
    if (index->is_partial)
        return is_condition_on(index, table, store, state) ? index->keys : NULL;
    if (index->is_by_status)
        return index->keys + 1;
    return table->has[ROLE_STATUS] ? NULL : index->keys;
}

/* The order that claims would like, best first. An insertion sequence is better than a clock, and
 * an id is what is always there. */
static const enum role ties[] = {ROLE_SEQ, ROLE_CREATED_AT, ROLE_EVENT_ID};
enum { TIES = sizeof(ties) / sizeof(ties[0]) };

/* How good an order by that column is, 0 the best; TIES if claims have no use for it. Without
 * available_at a creation time says nothing that the scan's bound could use. */
static int rank_of(const struct outbox_store *store, const struct table *table, const char *column)
{
    for (int i = 0; i < TIES; i++)
        if (is_column(store, column, ties[i]) && table->has[ties[i]] &&
            (table->has[ROLE_AVAILABLE_AT] || ties[i] != ROLE_CREATED_AT))
            return i;
    return TIES;
}

static void read_index(struct table *table, const struct outbox_store *store,
                       const PGresult *indexes, int row, int *best)
{
    struct index index = {.condition = PQgetvalue(indexes, row, 4)};
    for (int i = 0; i < 4; i++)
        index.keys[i] = i < 3 ? PQgetvalue(indexes, row, 1 + i) : "";
    index.is_partial = index.condition[0] != '\0';
    index.is_by_status = !index.is_partial && is_column(store, index.keys[0], ROLE_STATUS);
    if (!index.is_partial && is_column(store, index.keys[0], ROLE_EVENT_ID)) {
        table->id_index = true;
        table->id_unique |= PQgetvalue(indexes, row, 5)[0] == 't';
    }
    if (index.is_by_status ||
        (index.is_partial && is_condition_on(&index, table, store, STATE_DEAD)))
        table->dead_index = true;
    const char *const *leases = ordered_keys(&index, table, store, STATE_DELIVERING);
    if (leases && is_column(store, leases[0], ROLE_LOCKED_AT))
        table->lease_index = true;
    const char *const *pending = ordered_keys(&index, table, store, STATE_PENDING);
    if (!pending ||
        (table->has[ROLE_AVAILABLE_AT] && !is_column(store, pending[0], ROLE_AVAILABLE_AT)))
        return;
    int rank = rank_of(store, table, pending[table->has[ROLE_AVAILABLE_AT] ? 1 : 0]);
    if (rank < *best) {
        *best = rank;
        table->claim_index = (Oid)strtoul(PQgetvalue(indexes, row, 0), NULL, 10);
        table->tie = ties[rank];
    }
}

static enum tie_kind kind_of(Oid type)
{
    switch (type) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
        return TIE_NUMBER;
    case TYPE_TIMESTAMPTZ:
        return TIE_INSTANT;
    case TYPE_UUID:
        return TIE_UUID;
    case TYPE_BYTEA:
        return TIE_BYTES;
    default:
        return TIE_OTHER;
    }
}

void table_read_indexes(struct table *table, const struct outbox_store *store,
                        const PGresult *indexes)
{
    int best = TIES;
    for (int row = 0; row < PQntuples(indexes); row++)
        read_index(table, store, indexes, row, &best);
    for (int i = 0; i < TIES && best == TIES; i++) {
        bool clock = ties[i] == ROLE_CREATED_AT;
        if (table->has[ties[i]] && (!clock || table->has[ROLE_AVAILABLE_AT])) {
            best = i;
            table->tie = ties[i];
        }
    }
    table->tie_kind = kind_of(table->type[table->tie]);
}

/* ---- Positions ---------------------------------------------------------------------------- */

/* Bytes in the order of memcmp, as two numbers in the order of numbers. */
#define SIGN (UINT64_C(1) << 63)

static struct position position_of_bytes(int64_t at, const char *bytes, int len)
{
    uint64_t words[2] = {0, 0};
    memcpy(words, bytes, len < 16 ? (size_t)len : 16);
    return (struct position){at, (int64_t)(be64toh(words[0]) ^ SIGN), be64toh(words[1])};
}

struct position table_position(const struct table *table, const PGresult *result, int row, int at,
                               int tie)
{
    int64_t instant = 0;
    if (table->has[ROLE_AVAILABLE_AT])
        instant = get_int64(PQgetvalue(result, row, at));
    const char *value = PQgetvalue(result, row, tie);
    int len = PQgetlength(result, row, tie);
    switch (table->tie_kind) {
    case TIE_NUMBER:
    case TIE_INSTANT:
        return (struct position){instant, get_integer(value, len), 0};
    case TIE_UUID:
    case TIE_BYTES:
        return position_of_bytes(instant, value, len);
    default:
        return (struct position){instant, 0, 0};
    }
}

struct parameter table_tie(const struct table *table, struct position position, char bytes[16])
{
    bool first = position_compare(position, POSITION_FIRST) == 0;
    if (table->tie_kind == TIE_NUMBER || table->tie_kind == TIE_INSTANT) {
        put_int64(bytes, position.tie);
        return (struct parameter){bytes, 8};
    }
    put_int64(bytes, (int64_t)((uint64_t)position.tie ^ SIGN));
    put_int64(bytes + 8, (int64_t)position.rest);
    return (struct parameter){bytes, table->tie_kind == TIE_BYTES && first ? 0 : 16};
}
