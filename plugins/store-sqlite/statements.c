/*
 * statements.c - the SQL of the hot path, prepared once a session
 * SPDX-License-Identifier: MIT
 */
#include "statements.h"

#include "layout.h"

/* Every status stands as a literal: only then does SQLite use a partial index. */

/* A table without a status column holds pending events only. */
#define PENDING "[[status|{status}={PENDING}]][[!status|1]]"
#define DUE(now) PENDING "[[available_at| AND {available_at}<=" now "]]"
#define DELIVERING "[[DELIVERING|{status}={DELIVERING}]][[!DELIVERING|0]]"
#define DEAD "[[DEAD|{status}={DEAD}]][[!DEAD|0]]"

/* What an event is made of; ?3 is the largest payload that is handed over. length() and typeof()
 * read the row's header only, so that one that is too large stays on the disk. */
#define EVENT                                                                                      \
    "{.event_id},{.event_type},"                                                                   \
    "CASE WHEN typeof({.payload})='blob' AND length({.payload})>?3 THEN NULL ELSE {.payload} "     \
    "END,CASE WHEN typeof({.payload})='blob' THEN length({.payload}) ELSE -1 END,"                 \
    "{.headers},{.partition_key},{.ordering_key},{.aggregate_type},{.aggregate_id},{.attempts},"   \
    "{.created_at},{.available_at} "

/* The rows of a claim, which outbox_relay_rows(?1) gives, that are still its own: in mode lease ?2
 * is its token. The '+' keeps the search on the key. */
#define STILL_OURS "[[lease| AND +{.locked_by}=?2]][[status| AND +{.status}={claimed}]]"
#define OURS_AMONG "{key} IN (SELECT key FROM outbox_relay_rows(?1))" STILL_OURS
#define OURS_FROM " FROM outbox_relay_rows(?1) AS r WHERE {table}.{key}=r.key" STILL_OURS

/* Beyond 2^63 SQLite would go on with a rounded number; NULL counts as none. */
#define CHARGED                                                                                    \
    "[[attempts|{attempts}=CASE WHEN {.attempts}=9223372036854775807 THEN {.attempts} "            \
    "ELSE coalesce({.attempts},0)+r.charge END,]]"

#define PUT_BACK "[[status|{status}={PENDING},]]"
#define UNLOCK                                                                                     \
    "[[locked_by|{locked_by}=NULL,]][[locked_at|{locked_at}=NULL,]]"                               \
    "[[updated_at|{updated_at}=?3,]]"
#define ERROR "[[last_error|{last_error}=coalesce(r.error,{.last_error}),]]"
#define DELIVER "UPDATE {table} SET {status}={DELIVERED},[[delivered_at|{delivered_at}=?3,]]" UNLOCK

/* ?1 and ?2: since before when what is delivered, and dead, is old. A number, which is no instant,
 * would be before any text. */
#define OLD_STATE(state, limit)                                                                    \
    "[[" state "|{status}={" state "} AND typeof({finished:" state                                 \
    "})='text' AND {finished:" state "}<" limit "]][[!" state "|0]]"
#define OLD_DELIVERED OLD_STATE("DELIVERED", "?1")
#define OLD_DEAD OLD_STATE("DEAD", "?2")
#define OLD "((" OLD_DELIVERED ") OR (" OLD_DEAD "))"

static const char *const patterns[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_NOW] = "SELECT " CLOCK,
    [STATEMENT_DUE] = "SELECT 1 FROM {table} WHERE " DUE(CLOCK) " LIMIT 1",
    [STATEMENT_CLAIM] = "SELECT {rowid}," EVENT "FROM {table} WHERE " DUE("?1") " ORDER BY {order} "
                                                                                "LIMIT ?2",
    [STATEMENT_MARK] = "UPDATE {table} SET {status}={DELIVERING},{locked_by}=?2,{locked_at}=?3,"
                       "[[updated_at|{updated_at}=?3,]]{end} "
                       "WHERE {key} IN (SELECT key FROM outbox_relay_rows(?1))",
    /* Mode hold: the keys first, because most of what others hold or what is held back stands at
     * the head, and its payloads need not be read. */
    [STATEMENT_FIND] = "SELECT {key},{rowid} FROM {table} WHERE " DUE("?1") " ORDER BY {order}",
    [STATEMENT_READ] = "SELECT r.rowid," EVENT "FROM outbox_relay_rows(?1) AS r "
                       "CROSS JOIN {table} WHERE {table}.{key}=r.key",
    /* Nearly every row goes this way, so it has a statement that does without the join. */
    [STATEMENT_DELIVERED] = DELIVER "{end} WHERE " OURS_AMONG,
    [STATEMENT_DELIVERED_NOTED] = DELIVER ERROR "{end}" OURS_FROM,
    [STATEMENT_DELETED] = "DELETE FROM {table} WHERE " OURS_AMONG,
    [STATEMENT_RETRY] =
        "UPDATE {table} SET " PUT_BACK CHARGED
        "[[available_at|{available_at}=r.available,]]" UNLOCK ERROR "{end}" OURS_FROM,
    [STATEMENT_DEAD] = "UPDATE {table} SET {status}={DEAD}," CHARGED UNLOCK ERROR "{end}" OURS_FROM,
    [STATEMENT_RELEASE] = "UPDATE {table} SET " PUT_BACK UNLOCK ERROR "{end}" OURS_FROM,
    [STATEMENT_RENEW] = "UPDATE {table} SET {locked_at}=?2,[[updated_at|{updated_at}=?2,]]{end} "
                        "WHERE {status}={DELIVERING} AND {locked_at}>'' AND {locked_by}=?1",
    /* ?1: our prefix, ?2: since when a lease of ours, ?3: of anyone else has expired, ?4: the later
     * of the two, for the index. */
    [STATEMENT_EXPIRED] = "SELECT {rowid},{attempts},{locked_by} FROM {table} "
                          "WHERE {status}={DELIVERING} AND {locked_at}<=?4 AND {locked_at}<="
                          "CASE WHEN substr({locked_by},1,length(?1))=?1 THEN ?2 ELSE ?3 END "
                          "ORDER BY {locked_at} LIMIT ?5",
    [STATEMENT_REAP] = "UPDATE {table} SET {status}=CASE WHEN ?2 THEN {DEAD} ELSE {PENDING} END,"
                       "{attempts}=?4,{available_at}=coalesce(?6,{available_at})," UNLOCK
                       "[[last_error|{last_error}=?5,]]{end} WHERE {rowid}=?1",
    [STATEMENT_IS_OBJECT] =
        "SELECT CASE WHEN json_valid(?1) THEN json_type(?1)='object' ELSE 0 END",
    [STATEMENT_COUNT_PENDING] = "SELECT count(*) FROM {table} WHERE " PENDING,
    [STATEMENT_COUNT_SCHEDULED] = "SELECT count(*) FROM {table} WHERE " PENDING
                                  " AND [[available_at|{available_at}>?1]][[!available_at|0]]",
    [STATEMENT_OLDEST] = "SELECT [[available_at|{available_at}]][[!available_at|{created_at}]] "
                         "FROM {table} WHERE " DUE("?1") " ORDER BY {order} LIMIT 1",
    [STATEMENT_COUNT_DELIVERING] = "SELECT count(*) FROM {table} WHERE " DELIVERING,
    [STATEMENT_COUNT_DEAD] = "SELECT count(*) FROM {table} WHERE " DEAD,
    /* ?1: how many rows to look at, ?2: how many characters of a token to show, ?3: how many
     * tokens.
     */
    [STATEMENT_HOLDERS] = "SELECT substr(token,1,?2),count(*),min(since) FROM "
                          "(SELECT {locked_by} AS token,{locked_at} AS since FROM {table} "
                          "WHERE {status}={DELIVERING} AND {locked_at}>'' ORDER BY {locked_at} "
                          "LIMIT ?1) GROUP BY 1 ORDER BY 3 LIMIT ?3",
    [STATEMENT_ROW_SPAN] = "SELECT coalesce((SELECT max({rowid}) FROM {table})-"
                           "(SELECT min({rowid}) FROM {table})+1,0)",
    [STATEMENT_LAST_ROW] = "SELECT coalesce(max({rowid}),0) FROM {table}",
    [STATEMENT_OLD] = "SELECT {rowid} FROM {table} WHERE {rowid}>?3 AND {rowid}<=?4 AND " OLD
                      " ORDER BY {rowid} LIMIT ?5",
    [STATEMENT_COUNT_OLD] = "SELECT coalesce(sum(" OLD_DELIVERED "),0),"
                            "coalesce(sum(" OLD_DEAD "),0) FROM {table}",
    [STATEMENT_PRUNE] = "DELETE FROM {table} WHERE {rowid}=?3 AND " OLD " RETURNING " DEAD,
};

const char *statement_pattern(enum statement id)
{
    return patterns[id];
}
