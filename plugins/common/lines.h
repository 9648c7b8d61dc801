/*
 * lines.h - messages as lines of text, gathered to be written together
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGINS_COMMON_LINES_H
#define PLUGINS_COMMON_LINES_H

#include "bytes.h"

#include <outbox/publisher.h>

/* What the option `format` may say. */
#define LINE_FORMATS "ndjson|raw"

enum line_format { LINE_NDJSON, LINE_RAW };

#define LINES_MAX_COUNT 1024u
#define LINES_ENOUGH ((uint64_t)256 * 1024) /* bytes that are worth a write of their own */

/* Starts as all zeroes but for the format. One thread at a time. */
struct lines {
    enum line_format format;
    struct bytes text;
    uint64_t ends[LINES_MAX_COUNT]; /* of each line, counted from the text's start */
    uint64_t count;
};

enum line_format line_format_of(const struct outbox_settings *settings) OUTBOX_MUST_USE;

/* Adds the line of a message. There is room for one unless lines_full(). False if the memory is
 * used up; the lines are then as they were. */
bool lines_add(struct lines *lines, const struct outbox_message *message) OUTBOX_MUST_USE;

/* Whether it is time to write the lines. */
bool lines_full(const struct lines *lines) OUTBOX_MUST_USE;

/* How many lines stand whole within the first `len` bytes, and where the last of them ends. */
uint64_t lines_within(const struct lines *lines, uint64_t len, uint64_t *end) OUTBOX_MUST_USE;

/* Drops all lines but the last. */
void lines_keep_last(struct lines *lines);

void lines_reset(struct lines *lines);
void lines_clear(struct lines *lines);

#endif
