/*
 * lines.c - messages as lines of text, gathered to be written together
 * SPDX-License-Identifier: MIT
 */
#include "lines.h"

#include "ndjson.h"

/* Memory beyond this, taken for an uncommonly large event, is given back after it. */
#define TEXT_KEPT (4 * LINES_ENOUGH)

enum line_format line_format_of(const struct outbox_settings *settings)
{
    return strcmp(outbox_setting_text(settings, "format", "ndjson"), "raw") == 0 ? LINE_RAW
                                                                                 : LINE_NDJSON;
}

static bool append_raw(struct bytes *text, struct outbox_slice payload)
{
    uint64_t start = text->len;
    if (bytes_append(text, payload.data, payload.len) && bytes_append(text, "\n", 1))
        return true;
    text->len = start;
    return false;
}

bool lines_add(struct lines *lines, const struct outbox_message *message)
{
    bool added = lines->format == LINE_RAW ? append_raw(&lines->text, message->payload)
                                           : ndjson_append(&lines->text, message);
    if (added)
        lines->ends[lines->count++] = lines->text.len;
    return added;
}

bool lines_full(const struct lines *lines)
{
    return lines->count == LINES_MAX_COUNT || lines->text.len >= LINES_ENOUGH;
}

uint64_t lines_within(const struct lines *lines, uint64_t len, uint64_t *end)
{
    uint64_t whole = 0;
    while (whole < lines->count && lines->ends[whole] <= len)
        whole++;
    *end = whole > 0 ? lines->ends[whole - 1] : 0;
    return whole;
}

void lines_keep_last(struct lines *lines)
{
    if (lines->count < 2)
        return;
    bytes_drop(&lines->text, lines->ends[lines->count - 2]);
    lines->ends[0] = lines->text.len;
    lines->count = 1;
}

void lines_reset(struct lines *lines)
{
    bytes_reset(&lines->text, TEXT_KEPT);
    lines->count = 0;
}

void lines_clear(struct lines *lines)
{
    bytes_clear(&lines->text);
    lines->count = 0;
}
