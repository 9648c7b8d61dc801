/*
 * log_limit.h - how many lines of one kind are written in a while
 * SPDX-License-Identifier: MIT
 *
 * Lines are of one kind if their levels, messages and fields "pipeline" and "driver" are the same.
 * Of each, LOG_LIMIT are written in LOG_WINDOW; of more it is told how many there were.
 */
#ifndef CORE_LOG_LIMIT_H
#define CORE_LOG_LIMIT_H

#include "clock.h"
#include "log.h"

#define LOG_LIMIT 20
#define LOG_WINDOW (10 * SECOND)
#define LOG_KINDS 64 /* remembered; of more, the oldest is forgotten */
#define LOG_KIND_TEXT 96

struct log_kind {
    uint64_t hash; /* 0: the place is free */
    int64_t since;
    uint64_t written, suppressed;
    uint32_t level;
    char message[LOG_KIND_TEXT], pipeline[LOG_KIND_TEXT], driver[LOG_KIND_TEXT];
};

/* Not for several threads at a time. */
struct log_limit {
    struct log_kind kinds[LOG_KINDS];
    uint64_t suppressed; /* in all */
};

enum log_passage {
    LOG_PASSES,
    LOG_IS_SUPPRESSED,
    LOG_ENDS_OTHER /* it passes, but before, *ended is to be written: its place was needed */
};

/* Whether a line passes at `now`. *left_out of its kind were suppressed before it and not told of
 * yet. */
enum log_passage log_limit_pass(struct log_limit *limit, uint32_t level, const char *message,
                                const struct log_field *fields, size_t count, int64_t now,
                                uint64_t *left_out, struct log_kind *ended);

/* A kind whose window is over (with `all`: or not) and of which lines were left out; that is told
 * then. False if there is none. */
bool log_limit_take(struct log_limit *limit, int64_t now, bool all, struct log_kind *ended);

#endif
