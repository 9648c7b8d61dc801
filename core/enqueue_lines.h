/*
 * enqueue_lines.h - inserts a stream of lines, a transaction a batch
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_ENQUEUE_LINES_H
#define CORE_ENQUEUE_LINES_H

#include "driver.h"

/* Reads NDJSON from standard input to its end and inserts `batch_size` events at a time. Says on
 * standard error what went wrong, at which line, and what is committed by then; `*committed` is the
 * number of events in the database either way. Returns an exit status. */
int enqueue_lines(struct store_link *link, size_t batch_size, uint64_t *committed)
    __attribute__((warn_unused_result));

#endif
