/*
 * floor_common.h - what the floors share: their arguments, a clock and the report
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCHMARKS_FLOOR_COMMON_H
#define BENCHMARKS_FLOOR_COMMON_H

#include <stdbool.h>
#include <stdint.h>

/* The field's words for how a claim is kept and what settling does with the row. */
struct floor_options {
    const char *url; /* of the database, or the path of its file */
    const char *table;
    bool hold;            /* row locks instead of a lease */
    bool delete_settled;  /* DELETE instead of marking DELIVERED */
    bool by_id;           /* settle by primary key instead of by the row's address */
    unsigned connections; /* 1 to FLOOR_MAX_CONNECTIONS */
    unsigned batch;       /* events a claim, 1 to FLOOR_MAX_BATCH */
};

enum { FLOOR_MAX_CONNECTIONS = 16, FLOOR_MAX_BATCH = 10000 };

/* Returns 0, or the exit status with which the program has to end (help asked for: 1 after printing
 * it would be a lie, so `*done` is set with status 0). */
int floor_options_parse(int argc, char **argv, struct floor_options *options, bool *done)
    __attribute__((warn_unused_result));

/* Monotonic nanoseconds. */
int64_t floor_now(void);

/* One JSON object on standard output. */
void floor_report(const struct floor_options *options, uint64_t events, int64_t elapsed);

#endif
