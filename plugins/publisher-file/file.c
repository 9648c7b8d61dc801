/*
 * file.c - a publisher that appends every message as a line to a file
 * SPDX-License-Identifier: MIT
 */
#include "failure.h"
#include "lines.h"
#include "outcome.h"
#include "output.h"
#include "target.h"
#include "turn.h"

#include <errno.h>
#include <outbox/plugin.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MOST_KEPT 1000

struct outbox_publisher {
    const struct outbox_host *host;
    struct turn turn;
    struct target target; /* by whose turn it is */
    struct lines lines;   /* by whose turn it is */
};

static bool parse_mode(const char *text, mode_t *mode)
{
    unsigned bits = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 4 || strspn(text, "01234567") != len)
        return false;
    for (const char *digit = text; *digit; digit++)
        bits = bits * 8 + (unsigned)(*digit - '0');
    *mode = (mode_t)bits;
    return bits <= 0777;
}

/* What no table of keys can express. */
static enum outbox_status check_settings(const char *path, const char *mode_text, mode_t *mode,
                                         struct outbox_error *error)
{
    struct stat info;
    size_t len = strlen(path);
    if (len == 0)
        return outbox_fail(error, OUTBOX_INVALID, "", "\"path\" is empty: name the file");
    if (path[len - 1] == '/' || (stat(path, &info) == 0 && S_ISDIR(info.st_mode)))
        return outbox_fail(error, OUTBOX_INVALID, "EISDIR",
                           "\"path\" is the folder %.300s: name a file in it", path);
    if (!parse_mode(mode_text, mode))
        return outbox_fail(
            error, OUTBOX_INVALID, "",
            "\"mode\" is \"%.40s\": write up to four octal digits, 0777 at most, such "
            "as \"0640\"",
            mode_text);
    return OUTBOX_OK;
}

static void file_close(struct outbox_publisher *publisher)
{
    lines_clear(&publisher->lines);
    target_clear(&publisher->target);
    turn_clear(&publisher->turn);
    free(publisher);
}

static enum outbox_status file_open(const struct outbox_host *host,
                                    const struct outbox_settings *settings,
                                    struct outbox_publisher **publisher, struct outbox_error *error)
{
    mode_t mode = 0;
    const char *path = outbox_setting_text(settings, "path", "");
    enum outbox_status status =
        check_settings(path, outbox_setting_text(settings, "mode", "0640"), &mode, error);
    if (status != OUTBOX_OK)
        return status;

    struct outbox_publisher *made = calloc(1, sizeof(*made));
    if (!made || !turn_init(&made->turn)) {
        free(made);
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM",
                           "open the publisher for %.300s: out of memory", path);
    }
    if (!target_init(&made->target, host, path)) {
        file_close(made);
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM",
                           "open the publisher for %.300s: out of memory", path);
    }
    made->host = host;
    made->lines.format = line_format_of(settings);
    made->target.mode = mode;
    made->target.sync = outbox_setting_integer(settings, "sync", 1) != 0;
    made->target.max_size = (uint64_t)outbox_setting_integer(settings, "max_size", 0);
    made->target.keep = outbox_setting_integer(settings, "keep", 5);
    *publisher = made;
    return OUTBOX_OK;
}

/* A batch on its way: messages before `added` have become lines, those before `written` are in the
 * file, those before `acked` are delivered. */
struct progress {
    uint64_t added, written, acked;
};

static bool append(struct outbox_publisher *publisher, uint64_t count, struct progress *progress,
                   int64_t deadline, struct failure *failure)
{
    uint64_t whole = target_append(&publisher->target, &publisher->lines, count, deadline, failure);
    progress->written += whole;
    return whole == count;
}

/* A commit that fails has taken out of the file what was written since the last one. */
static bool commit(struct outbox_publisher *publisher, struct progress *progress,
                   struct failure *failure)
{
    bool is_done = target_commit(&publisher->target, failure);
    if (is_done)
        progress->acked = progress->written;
    else
        progress->written = progress->acked;
    return is_done;
}

/* The last of the gathered lines does not fit: it opens the next file. */
static bool rotate(struct outbox_publisher *publisher, struct progress *progress, int64_t deadline,
                   struct failure *failure)
{
    struct lines *lines = &publisher->lines;
    bool is_done = append(publisher, lines->count - 1, progress, deadline, failure) &&
                   commit(publisher, progress, failure) &&
                   target_rotate(&publisher->target, deadline, failure);
    if (is_done)
        lines_keep_last(lines);
    else
        lines_reset(lines);
    return is_done;
}

/* Makes lines until it is time to append them. On failure the lines made so far can still be
 * appended. */
static bool gather(struct outbox_publisher *publisher, const struct outbox_batch *batch,
                   struct progress *progress, struct failure *failure)
{
    struct lines *lines = &publisher->lines;
    while (progress->added < batch->count && !lines_full(lines)) {
        uint64_t before = lines->text.len;
        if (!lines_add(lines, outbox_batch_at(batch, progress->added))) {
            failure_of_errno(failure, ENOMEM, "append to", publisher->target.path, NULL);
            return false;
        }
        progress->added++;
        if (target_is_full(&publisher->target, before, lines->text.len - before) &&
            !rotate(publisher, progress, batch->deadline, failure))
            return false;
    }
    return true;
}

/* Returns how many messages of the batch, from its first on, are delivered; if not all, *failure
 * says why. */
static uint64_t write_batch(struct outbox_publisher *publisher, const struct outbox_batch *batch,
                            struct failure *failure)
{
    struct lines *lines = &publisher->lines;
    struct progress progress = {0, 0, 0};
    bool is_going_on = true;
    while (is_going_on && progress.added < batch->count) {
        lines_reset(lines);
        is_going_on = gather(publisher, batch, &progress, failure);
        if (lines->count > 0 &&
            !append(publisher, lines->count, &progress, batch->deadline, failure))
            is_going_on = false;
    }
    lines_reset(lines);
    if (progress.acked < progress.written)
        (void)commit(publisher, &progress, failure);
    return progress.acked;
}

static enum outbox_status file_publish(struct outbox_publisher *publisher,
                                       const struct outbox_batch *batch, struct outbox_error *error)
{
    struct target *target = &publisher->target;
    struct failure failure = {0};
    struct output_signals signals;
    uint64_t acked = 0;
    if (!turn_take(&publisher->turn, publisher->host, batch->deadline))
        return outbox_fail(
            error, OUTBOX_UNAVAILABLE, "ETIMEDOUT",
            "append to %.300s: another batch is still being written; its disk is too "
            "slow or stands still",
            target->path);
    output_signals_begin(&signals);
    bool is_held = target_hold(target, batch->deadline, &failure);
    if (is_held) {
        acked = write_batch(publisher, batch, &failure);
        target_release(target);
    }
    output_signals_end(&signals);
    turn_give_back(&publisher->turn);
    if (!is_held)
        return failure_report(&failure, OUTBOX_UNAVAILABLE, error);

    outcome_complete_prefix(publisher->host, batch, acked, failure.text);
    return OUTBOX_OK;
}

static enum outbox_status file_ping(struct outbox_publisher *publisher, int64_t deadline,
                                    struct outbox_error *error)
{
    (void)deadline;
    return target_probe(&publisher->target, error);
}

static const struct outbox_option options[] = {
    {.name = "path",
     .type = OUTBOX_OPTION_TEXT,
     .flags = OUTBOX_OPTION_REQUIRED,
     .help = "The file to append to; its folder must exist."},
    {.name = "format",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "ndjson",
     .choices = LINE_FORMATS,
     .help = "ndjson: one JSON object a line; raw: the payload and a newline."},
    {.name = "max_size",
     .type = OUTBOX_OPTION_SIZE,
     .default_value = "0",
     .help = "Size at which the file is renamed to PATH.1 and a new one begun; 0: never."},
    {.name = "keep",
     .type = OUTBOX_OPTION_INTEGER,
     .default_value = "5",
     .minimum = 1,
     .maximum = MOST_KEPT,
     .help = "How many renamed files stay; the oldest is replaced."},
    {.name = "sync",
     .type = OUTBOX_OPTION_BOOL,
     .default_value = "true",
     .help = "Whether events count as delivered only once the disk has them."},
    {.name = "mode",
     .type = OUTBOX_OPTION_TEXT,
     .default_value = "0640",
     .help = "Permissions of a new file, in octal."},
};

static const struct outbox_publisher_ops ops = {
    OUTBOX_OPS(outbox_publisher_ops), .open = file_open, .close = file_close,
    .publish = file_publish,          .ping = file_ping,
};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "file", .version = DRIVER_VERSION,
              .description = "Appends events as lines to a file",
              .capabilities = OUTBOX_PUBLISHER_KEEPS_ORDER, .publisher = &ops,
              OUTBOX_OPTIONS(options));
