/*
 * template.h - SQL written from a pattern for the table that there is
 * SPDX-License-Identifier: MIT
 *
 * In a pattern stand for themselves but:
 *   {table}       the table
 *   {ROLE}        its column; NULL if it has none
 *   {.ROLE}       the same, with the table before it
 *   {rowid}       the row number
 *   {key}         what names a row: the row number where that is stable, else the id
 *   {order}       what claims go by
 *   {PENDING}     and the other states: their literals
 *   {claimed}     that of what the store's mode has claimed
 *   {finished:S}  the column that says since when a DELIVERED or DEAD event is finished
 *   {index:NAME}  the name of an index of the table
 *   {}            itself
 *   {end}         ends a list: drops the comma before it
 *   [[COND|text]] text if COND holds: a role that the table has, a state that it has, `lease`, or
 *                 each of these with `!` before it for the contrary; does not nest
 */
#ifndef STORE_SQLITE_TEMPLATE_H
#define STORE_SQLITE_TEMPLATE_H

#include "shape.h"

/* The caller frees it with free(); NULL when memory is out. */
char *template_sql(const struct columns *columns, const struct shape *shape,
                   const char *pattern) OUTBOX_MUST_USE;

#endif
