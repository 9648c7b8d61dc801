/*
 * statements.c - the SQL of the hot path, prepared once a session
 * SPDX-License-Identifier: MIT
 */
#include "statements.h"

/* Every status stands as a literal: only then does SQLite use a partial index. */

#define CLOCK "strftime('%Y-%m-%d %H:%M:%f','now')"

#define DUE "{status}='PENDING' AND {available_at}<="

/* The rows of a claim, which outbox_relay_rows(?1) gives, that are still its own: ?2 is its token.
 * The
 * '+' keeps the search on the key. */
#define STILL_OURS "+{table}.{locked_by}=?2 AND +{table}.{status}='DELIVERING'"
#define OURS_AMONG "{key} IN (SELECT key FROM outbox_relay_rows(?1)) AND " STILL_OURS
#define OURS_FROM " FROM outbox_relay_rows(?1) AS r WHERE {table}.{key}=r.key AND " STILL_OURS

/* Beyond 2^63 SQLite would go on with a rounded number; NULL counts as none. */
#define CHARGED(charge)                                                                            \
    "{attempts}=CASE WHEN {table}.{attempts}=9223372036854775807 THEN {table}.{attempts} "         \
    "ELSE coalesce({table}.{attempts},0)+" charge " END,"

#define UNLOCKED "{locked_by}=NULL,{locked_at}=NULL,{updated_at}=?3"
#define UNLOCK UNLOCKED ","
#define ERROR "{last_error}=coalesce(r.error,{table}.{last_error})"

/* ?1 and ?2: since before when what is delivered, and dead, is old. */
#define OLD_DELIVERED "{status}='DELIVERED' AND {delivered_at}<?1"
#define OLD_DEAD "{status}='DEAD' AND {updated_at}<?2"
#define OLD "((" OLD_DELIVERED ") OR (" OLD_DEAD "))"

static const char *const patterns[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_NOW] = "SELECT " CLOCK,
    [STATEMENT_DUE] = "SELECT 1 FROM {table} WHERE " DUE CLOCK " LIMIT 1",
    /* length() and typeof() read the row's header only, so that a payload that is too large stays
     * on the disk. */
    [STATEMENT_CLAIM] =
        "SELECT {rowid},{event_id},{event_type},"
        "CASE WHEN typeof({payload})='blob' AND length({payload})>?3 THEN NULL ELSE {payload} END,"
        "CASE WHEN typeof({payload})='blob' THEN length({payload}) ELSE -1 END,"
        "{headers},{partition_key},{ordering_key},{aggregate_type},{aggregate_id},{attempts},"
        "{created_at},{available_at} FROM {table} WHERE " DUE "?1 "
        "ORDER BY {available_at},{rowid} LIMIT ?2",
    [STATEMENT_MARK] = "UPDATE {table} SET {status}='DELIVERING',{locked_by}=?2,{locked_at}=?3,"
                       "{updated_at}=?3 WHERE {key} IN (SELECT key FROM outbox_relay_rows(?1))",
    /* Nearly every row goes this way, so it has a statement that does without the join. */
    [STATEMENT_DELIVERED] =
        "UPDATE {table} SET {status}='DELIVERED',{delivered_at}=?3," UNLOCKED " WHERE " OURS_AMONG,
    [STATEMENT_DELIVERED_NOTED] =
        "UPDATE {table} SET {status}='DELIVERED',{delivered_at}=?3," UNLOCK ERROR OURS_FROM,
    [STATEMENT_DELETED] = "DELETE FROM {table} WHERE " OURS_AMONG,
    [STATEMENT_RETRY] = "UPDATE {table} SET {status}='PENDING'," CHARGED(
        "1") "{available_at}=r.available," UNLOCK ERROR OURS_FROM,
    [STATEMENT_DEAD] =
        "UPDATE {table} SET {status}='DEAD'," CHARGED("r.charge") UNLOCK ERROR OURS_FROM,
    [STATEMENT_RELEASE] = "UPDATE {table} SET {status}='PENDING'," UNLOCK ERROR OURS_FROM,
    [STATEMENT_RENEW] = "UPDATE {table} SET {locked_at}=?2,{updated_at}=?2 "
                        "WHERE {status}='DELIVERING' AND {locked_at}>'' AND {locked_by}=?1",
    /* ?1: our prefix, ?2: since when a lease of ours, ?3: of anyone else has expired, ?4: the later
     * of the two, for the index. */
    [STATEMENT_EXPIRED] = "SELECT {rowid},{attempts},{locked_by} FROM {table} "
                          "WHERE {status}='DELIVERING' AND {locked_at}<=?4 AND {locked_at}<="
                          "CASE WHEN substr({locked_by},1,length(?1))=?1 THEN ?2 ELSE ?3 END "
                          "ORDER BY {locked_at} LIMIT ?5",
    [STATEMENT_REAP] = "UPDATE {table} SET {status}=?2,{attempts}=?4,{available_at}="
                       "coalesce(?6,{available_at})," UNLOCK "{last_error}=?5 WHERE {rowid}=?1",
    [STATEMENT_IS_OBJECT] =
        "SELECT CASE WHEN json_valid(?1) THEN json_type(?1)='object' ELSE 0 END",
    [STATEMENT_COUNT_PENDING] = "SELECT count(*) FROM {table} WHERE {status}='PENDING'",
    [STATEMENT_COUNT_SCHEDULED] =
        "SELECT count(*) FROM {table} WHERE {status}='PENDING' AND {available_at}>?1",
    [STATEMENT_OLDEST] =
        "SELECT {available_at} FROM {table} WHERE " DUE "?1 ORDER BY {available_at} LIMIT 1",
    [STATEMENT_COUNT_DELIVERING] = "SELECT count(*) FROM {table} WHERE {status}='DELIVERING'",
    [STATEMENT_COUNT_DEAD] = "SELECT count(*) FROM {table} WHERE {status}='DEAD'",
    [STATEMENT_ROW_SPAN] = "SELECT coalesce((SELECT max({rowid}) FROM {table})-"
                           "(SELECT min({rowid}) FROM {table})+1,0)",
    [STATEMENT_LAST_ROW] = "SELECT coalesce(max({rowid}),0) FROM {table}",
    [STATEMENT_OLD] = "SELECT {rowid} FROM {table} WHERE {rowid}>?3 AND {rowid}<=?4 AND " OLD
                      " ORDER BY {rowid} LIMIT ?5",
    [STATEMENT_COUNT_OLD] = "SELECT coalesce(sum(" OLD_DELIVERED "),0),"
                            "coalesce(sum(" OLD_DEAD "),0) FROM {table}",
    [STATEMENT_PRUNE] =
        "DELETE FROM {table} WHERE {rowid}=?3 AND " OLD " RETURNING {status}='DEAD'",
};

const char *statement_pattern(enum statement id)
{
    return patterns[id];
}
