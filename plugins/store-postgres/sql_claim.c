/*
 * sql_claim.c - taking pending events, and looking below the watermark
 * SPDX-License-Identifier: MIT
 */
#include "sql.h"

static bool is_text(Oid type)
{
    return type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_NAME;
}

static bool is_json(Oid type)
{
    return type == TYPE_JSON || type == TYPE_JSONB;
}

static const char *tie_type(const struct table *table)
{
    switch (table->tie_kind) {
    case TIE_INSTANT:
        return "timestamptz";
    case TIE_UUID:
        return "uuid";
    case TIE_BYTES:
        return "bytea";
    default:
        return "bigint";
    }
}

/* ---- Parameters --------------------------------------------------------------------------- */

static void number_bounds(const struct table *table, struct claim_places *places)
{
    if (table->has[ROLE_AVAILABLE_AT])
        places->at = ++places->count;
    if (table->tie_kind != TIE_OTHER)
        places->tie = ++places->count;
}

struct claim_places claim_places(const struct outbox_store *store, const struct table *table)
{
    struct claim_places places = {.limit = 1, .count = 1};
    number_bounds(table, &places);
    places.payload = ++places.count;
    if (table->holds_back)
        places.held = ++places.count;
    if (store->settings.mode == OUTBOX_MODE_LEASE)
        places.token = ++places.count;
    return places;
}

struct claim_places look_places(const struct table *table)
{
    struct claim_places places = {0};
    number_bounds(table, &places);
    if (table->holds_back)
        places.held = ++places.count;
    return places;
}

/* ---- Fields ------------------------------------------------------------------------------- */

static void add_text_field(struct builder *sql, enum role role)
{
    if (!sql->table->has[role])
        return;
    ADD(sql, ", t.%s%s", sql->column[role], is_text(sql->table->type[role]) ? "" : "::text");
}

static void add_field(struct builder *sql, enum role role)
{
    if (!sql->table->has[role])
        return;
    bool zoneless = sql->table->type[role] == TYPE_TIMESTAMP;
    ADD(sql, ", t.%s%s", sql->column[role], zoneless ? "::timestamptz" : "");
}

/* In the order of enum field. */
static void add_fields(struct builder *sql, const struct claim_places *places)
{
    Oid id = sql->table->type[ROLE_EVENT_ID];
    char payload[160];
    (void)snprintf(payload, sizeof(payload), "t.%s%s", sql->column[ROLE_PAYLOAD],
                   is_json(sql->table->type[ROLE_PAYLOAD]) ? "::text" : "");
    ADD(sql, "t.%s%s", sql->column[ROLE_EVENT_ID],
        id == TYPE_UUID || id == TYPE_BYTEA ? "" : "::text");
    add_text_field(sql, ROLE_EVENT_TYPE);
    ADD(sql, ", CASE WHEN octet_length(%s) > $%d::bigint THEN NULL ELSE %s END, octet_length(%s)",
        payload, places->payload, payload, payload);
    add_field(sql, ROLE_ATTEMPTS);
    add_field(sql, ROLE_AVAILABLE_AT);
    add_field(sql, ROLE_CREATED_AT);
    ADD(sql, ", t.%s, t.ctid", sql->column[sql->table->tie]);
    add_field(sql, ROLE_HEADERS);
    add_text_field(sql, ROLE_PARTITION_KEY);
    add_text_field(sql, ROLE_ORDERING_KEY);
    add_text_field(sql, ROLE_AGGREGATE_TYPE);
    add_text_field(sql, ROLE_AGGREGATE_ID);
}

/* ---- Scans -------------------------------------------------------------------------------- */

/* Qualified: a bare name in ORDER BY could also be that of a result column. */
static void add_position(struct builder *sql)
{
    if (sql->table->has[ROLE_AVAILABLE_AT])
        ADD(sql, "t.%s, ", sql->column[ROLE_AVAILABLE_AT]);
    ADD(sql, "t.%s", sql->column[sql->table->tie]);
}

/* " AND (available_at, tie) >= ($at, $tie)", of what there is. */
static void add_bound(struct builder *sql, const struct claim_places *places,
                      const char *comparison)
{
    const struct table *table = sql->table;
    if (places->at && places->tie) {
        ADD(sql, " AND (");
        add_position(sql);
        ADD(sql, ") %s ($%d::timestamptz, $%d::%s)", comparison, places->at, places->tie,
            tie_type(table));
    } else if (places->at) {
        ADD(sql, " AND %s %s $%d::timestamptz", sql->column[ROLE_AVAILABLE_AT], comparison,
            places->at);
    } else if (places->tie) {
        ADD(sql, " AND %s %s $%d::%s", sql->column[table->tie], comparison, places->tie,
            tie_type(table));
    }
}

/* The server makes a hash table of the ids that are held back, once a statement. */
static void add_not_held(struct builder *sql, const struct claim_places *places)
{
    if (!places->held)
        return;
    ADD(sql, " AND %s NOT IN (SELECT unnest(", sql->column[ROLE_EVENT_ID]);
    sql_ids(sql, places->held);
    ADD(sql, "))");
}

static void add_scan(struct builder *sql, const struct claim_places *places)
{
    ADD(sql, " FROM %s t WHERE ", sql->name);
    sql_due(sql);
    add_bound(sql, places, ">=");
    add_not_held(sql, places);
    ADD(sql, " ORDER BY ");
    add_position(sql);
    ADD(sql, " LIMIT $%d::bigint FOR UPDATE SKIP LOCKED", places->limit);
}

static void add_leased(struct builder *sql, const struct claim_places *places)
{
    ADD(sql, "UPDATE %s t SET %s = ", sql->name, sql->column[ROLE_STATUS]);
    sql_state(sql, STATE_DELIVERING);
    ADD(sql, ", %s = $%d::text, %s = statement_timestamp()", sql->column[ROLE_LOCKED_BY],
        places->token, sql->column[ROLE_LOCKED_AT]);
    sql_touched(sql);
}

/* A tid is the quickest way back to a row, but means nothing across partitions; there the time
 * helps the server to find the partition. */
static void add_lease_claim(struct builder *sql, const struct claim_places *places)
{
    const char *id = sql->column[ROLE_EVENT_ID];
    const char *created = sql->table->has[ROLE_CREATED_AT] ? sql->column[ROLE_CREATED_AT] : id;
    if (sql->table->by_tid) {
        add_leased(sql, places);
        ADD(sql, " WHERE t.ctid = ANY (ARRAY(SELECT t.ctid");
        add_scan(sql, places);
        ADD(sql, ")) RETURNING ");
    } else {
        ADD(sql, "WITH picked AS MATERIALIZED (SELECT t.%s AS id, t.%s AS created", id, created);
        add_scan(sql, places);
        ADD(sql, ") ");
        add_leased(sql, places);
        ADD(sql, " FROM picked WHERE t.%s = picked.id AND t.%s = picked.created RETURNING ", id,
            created);
    }
    add_fields(sql, places);
}

void sql_claim(struct builder *sql)
{
    struct claim_places places = claim_places(sql->store, sql->table);
    if (sql->lease) {
        add_lease_claim(sql, &places);
        return;
    }
    ADD(sql, "SELECT ");
    add_fields(sql, &places);
    add_scan(sql, &places);
}

/* One row: the oldest event below the watermark or NULLs, and the microseconds that it took. It
 * locks what it finds, to tell a waiting event from one in other hands. */
void sql_look(struct builder *sql)
{
    struct claim_places places = look_places(sql->table);
    ADD(sql, "WITH found AS MATERIALIZED (SELECT %s AS at, %s AS tie",
        sql->table->has[ROLE_AVAILABLE_AT] ? sql->column[ROLE_AVAILABLE_AT] : "0::bigint",
        sql->column[sql->table->tie]);
    ADD(sql, " FROM %s t WHERE ", sql->name);
    sql_due(sql);
    add_bound(sql, &places, "<");
    add_not_held(sql, &places);
    ADD(sql, " ORDER BY ");
    add_position(sql);
    ADD(sql, " LIMIT 1 FOR UPDATE SKIP LOCKED) SELECT found.at, found.tie,"
             " (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000000)::bigint"
             " FROM (VALUES (1)) AS one(row) LEFT JOIN found ON true");
}
