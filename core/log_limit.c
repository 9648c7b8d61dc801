/*
 * log_limit.c - how many lines of one kind are written in a while
 * SPDX-License-Identifier: MIT
 */
#include "log_limit.h"

#include <stdio.h>
#include <string.h>

/* FNV-1a. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)

/* The end of the text counts, too: "ab" and "c" are not "a" and "bc". */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    do
        hash = (hash ^ (unsigned char)*text) * HASH_PRIME;
    while (*text++);
    return hash;
}

static const char *field_text(const struct log_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].text && strcmp(fields[i].name, name) == 0)
            return fields[i].text;
    return "";
}

/* The place of a kind: its own, else a free one, else that of the oldest. */
static struct log_kind *find_place(struct log_limit *limit, uint64_t hash)
{
    struct log_kind *best = &limit->kinds[0];

    for (size_t i = 0; i < LOG_KINDS; i++) {
        struct log_kind *kind = &limit->kinds[i];
        if (kind->hash == hash)
            return kind;
        if (kind->since < best->since)
            best = kind;
    }
    return best;
}

static void begin_kind(struct log_kind *kind, uint32_t level, const char *message,
                       const char *pipeline, const char *driver)
{
    *kind = (struct log_kind){.level = level};
    (void)snprintf(kind->message, sizeof(kind->message), "%s", message);
    (void)snprintf(kind->pipeline, sizeof(kind->pipeline), "%s", pipeline);
    (void)snprintf(kind->driver, sizeof(kind->driver), "%s", driver);
}

enum log_passage log_limit_pass(struct log_limit *limit, uint32_t level, const char *message,
                                const struct log_field *fields, size_t count, int64_t now,
                                uint64_t *left_out, struct log_kind *ended)
{
    const char *pipeline = field_text(fields, count, "pipeline");
    const char *driver = field_text(fields, count, "driver");
    uint64_t hash =
        hash_text(hash_text(hash_text(HASH_START + level, message), pipeline), driver) | 1;
    struct log_kind *kind = find_place(limit, hash);
    enum log_passage passage = LOG_PASSES;

    *left_out = 0;
    if (kind->hash != hash) {
        if (kind->suppressed > 0) {
            *ended = *kind;
            passage = LOG_ENDS_OTHER;
        }
        begin_kind(kind, level, message, pipeline, driver);
        kind->hash = hash;
        kind->since = now;
    }
    if (now - kind->since >= LOG_WINDOW) {
        kind->since = now;
        kind->written = 0;
    }
    if (kind->written == LOG_LIMIT) {
        kind->suppressed++;
        limit->suppressed++;
        return LOG_IS_SUPPRESSED;
    }
    kind->written++;
    *left_out = kind->suppressed;
    kind->suppressed = 0;
    return passage;
}

bool log_limit_take(struct log_limit *limit, int64_t now, bool all, struct log_kind *ended)
{
    for (size_t i = 0; i < LOG_KINDS; i++) {
        struct log_kind *kind = &limit->kinds[i];
        if (kind->suppressed == 0 || (!all && now - kind->since < LOG_WINDOW))
            continue;
        *ended = *kind;
        kind->suppressed = 0;
        return true;
    }
    return false;
}
