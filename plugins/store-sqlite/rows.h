/*
 * rows.h - the rows of a claim as a table that SQL can read
 * SPDX-License-Identifier: MIT
 *
 * The table-valued function outbox_relay_rows(?) gives, for the rows of a claim or for those of its
 * settlements that have one verdict, their key and what is to be written to them. So a statement
 * changes all of them at once, however many they are and however their errors and delays differ.
 */
#ifndef STORE_SQLITE_ROWS_H
#define STORE_SQLITE_ROWS_H

#include "claim.h"

/* What is bound to the function's parameter. Borrowed for as long as the statement runs. */
struct row_set {
    const struct claim *claim;
    const struct outbox_settle_request *settle; /* NULL: all rows of the claim */
    uint32_t verdict;                           /* of the settlements meant */
    int64_t now;                                /* what delays count from */
    bool buries;                                /* the table has a place for dead events */
    uint32_t error_chars;                       /* of an error that there is room for; 0: any */
};

/* Makes the function known to a connection. Returns an SQLite result code. */
int rows_register(sqlite3 *db) __attribute__((warn_unused_result));

/* What becomes of an event: where the table has no place for dead ones they are retried. */
uint32_t settlement_verdict(const struct outbox_settlement *settlement, bool buries);

/* Microseconds until that. */
int64_t settlement_delay(const struct outbox_settlement *settlement);

void rows_bind(sqlite3_stmt *statement, int parameter, const struct row_set *set);

#endif
