/*
 * stdout.c - a publisher that writes every message as a line to standard output
 * SPDX-License-Identifier: MIT
 */
#include "failure.h"
#include "lines.h"
#include "outcome.h"
#include "output.h"
#include "turn.h"

#include <errno.h>
#include <fcntl.h>
#include <outbox/plugin.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLOSE_WAIT INT64_C(1000000000)
#define SPACE_WANTED 4096u

/* The rest of a line that was cut off, and the turn to write. Standard output is one and the
 * process's, however many pipelines write to it, so neither can be a publisher's own: another
 * pipeline's line would be put into the middle. The only state that this driver keeps outside of a
 * publisher. */
static struct {
    pthread_once_t once;
    bool is_ready;
    struct turn turn;
    struct bytes torn; /* by whose turn it is */
} standard_output = {.once = PTHREAD_ONCE_INIT};

struct outbox_publisher {
    const struct outbox_host *host;
    struct lines lines; /* by whose turn it is */
};

static void standard_output_init(void)
{
    standard_output.is_ready = turn_init(&standard_output.turn);
}

static enum outbox_status stdout_open(const struct outbox_host *host,
                                      const struct outbox_settings *settings,
                                      struct outbox_publisher **publisher,
                                      struct outbox_error *error)
{
    if (fcntl(STDOUT_FILENO, F_GETFL) < 0)
        return outbox_fail(error, OUTBOX_INVALID, "EBADF",
                           "standard output is closed: start the relay with it open, or publish "
                           "with the driver \"file\"");
    (void)pthread_once(&standard_output.once, standard_output_init);
    struct outbox_publisher *made = standard_output.is_ready ? calloc(1, sizeof(*made)) : NULL;
    if (!made)
        return outbox_fail(error, OUTBOX_INTERNAL, "ENOMEM",
                           "open the publisher for standard output: out of memory");
    made->host = host;
    made->lines.format = line_format_of(settings);
    *publisher = made;
    return OUTBOX_OK;
}

static void fail_write(struct failure *failure, int number)
{
    const char *remedy = NULL;
    if (number == ETIMEDOUT)
        remedy = "its reader is too slow or stands still";
    else if (number == EPIPE)
        remedy = "nobody reads it any more";
    failure_of_errno(failure, number, "write to", "standard output", remedy);
}

/* Finishes the line that an earlier write had to leave in the middle; false if that fails again. */
static bool finish_torn(const struct outbox_host *host, int64_t deadline, struct failure *failure)
{
    struct bytes *torn = &standard_output.torn;
    uint64_t written;
    if (torn->len == 0)
        return true;
    int failed = output_write(STDOUT_FILENO, host, deadline, torn->data, torn->len, &written);
    bytes_drop(torn, written);
    if (failed) {
        fail_write(failure, failed);
        return false;
    }
    bytes_clear(torn);
    return true;
}

/* Takes over the text of the lines, whose first `written` bytes are out: up to `end` it stays
 * unfinished. Moved, not copied: there may be no memory for a copy. */
static void remember_torn(struct lines *lines, uint64_t written, uint64_t end)
{
    struct bytes *torn = &standard_output.torn;
    bytes_clear(torn);
    *torn = lines->text;
    torn->len = end;
    bytes_drop(torn, written);
    lines->text = (struct bytes){0};
}

/* Writes the gathered lines; returns how many are out whole. */
static uint64_t write_lines(struct outbox_publisher *publisher, int64_t deadline,
                            struct failure *failure)
{
    struct lines *lines = &publisher->lines;
    uint64_t written, end;
    int failed = output_write(STDOUT_FILENO, publisher->host, deadline, lines->text.data,
                              lines->text.len, &written);
    if (!failed)
        return lines->count;
    fail_write(failure, failed);
    uint64_t whole = lines_within(lines, written, &end);
    if (end < written)
        remember_torn(lines, written, lines->ends[whole]);
    return whole;
}

/* Returns how many messages of the batch, from its first on, are out; if not all, *failure says
 * why. */
static uint64_t write_batch(struct outbox_publisher *publisher, const struct outbox_batch *batch,
                            struct failure *failure)
{
    struct lines *lines = &publisher->lines;
    uint64_t acked = 0, added = 0;
    bool is_memory_left = true;
    if (!finish_torn(publisher->host, batch->deadline, failure))
        return 0;
    while (is_memory_left && added < batch->count) {
        lines_reset(lines);
        while (is_memory_left && added < batch->count && !lines_full(lines)) {
            is_memory_left = lines_add(lines, outbox_batch_at(batch, added));
            added += is_memory_left;
        }
        if (!is_memory_left)
            failure_of_errno(failure, ENOMEM, "write to", "standard output", NULL);
        acked += write_lines(publisher, batch->deadline, failure);
        if (acked < added)
            break;
    }
    lines_reset(lines);
    return acked;
}

static enum outbox_status stdout_publish(struct outbox_publisher *publisher,
                                         const struct outbox_batch *batch,
                                         struct outbox_error *error)
{
    struct failure failure = {0};
    struct output_signals signals;
    if (!turn_take(&standard_output.turn, publisher->host, batch->deadline))
        return outbox_fail(error, OUTBOX_UNAVAILABLE, "ETIMEDOUT",
                           "write to standard output: another batch is still being written; "
                           "its reader is too slow or stands still");
    output_signals_begin(&signals);
    uint64_t acked = write_batch(publisher, batch, &failure);
    output_signals_end(&signals);
    turn_give_back(&standard_output.turn);

    outcome_complete_prefix(publisher->host, batch, acked, failure.text);
    return OUTBOX_OK;
}

static enum outbox_status stdout_ping(struct outbox_publisher *publisher, int64_t deadline,
                                      struct outbox_error *error)
{
    struct failure failure;
    struct stat info;
    int failed = output_wait(STDOUT_FILENO, publisher->host, deadline);
    if (!failed && fstat(STDOUT_FILENO, &info) == 0 && S_ISREG(info.st_mode))
        failed = output_space(STDOUT_FILENO, SPACE_WANTED);
    if (!failed)
        return OUTBOX_OK;
    fail_write(&failure, failed);
    return failure_report(&failure, OUTBOX_UNAVAILABLE, error);
}

/* A line that was cut off is still finished if that is possible now, so that whoever reads the
 * output afterwards does not find half of one. */
static void stdout_close(struct outbox_publisher *publisher)
{
    const struct outbox_host *host = publisher->host;
    int64_t deadline = host->now(host) + CLOSE_WAIT;
    struct failure failure;
    if (turn_take(&standard_output.turn, host, deadline)) {
        struct output_signals signals;
        output_signals_begin(&signals);
        if (!finish_torn(host, deadline, &failure))
            outbox_log(host, OUTBOX_LOG_WARN,
                       "the last line of standard output stays cut off, its event is not "
                       "delivered: %.400s",
                       failure.text);
        output_signals_end(&signals);
        turn_give_back(&standard_output.turn);
    }
    lines_clear(&publisher->lines);
    free(publisher);
}

static const struct outbox_option options[] = {
    {.name = "format",
     .type = OUTBOX_OPTION_CHOICE,
     .default_value = "ndjson",
     .choices = LINE_FORMATS,
     .help = "ndjson: one JSON object a line; raw: the payload and a newline."},
};

static const struct outbox_publisher_ops ops = {
    OUTBOX_OPS(outbox_publisher_ops), .open = stdout_open, .close = stdout_close,
    .publish = stdout_publish,        .ping = stdout_ping,
};

OUTBOX_PLUGIN(OUTBOX_KIND_PUBLISHER, .name = "stdout", .version = DRIVER_VERSION,
              .description = "Writes events as lines to standard output",
              .capabilities = OUTBOX_PUBLISHER_KEEPS_ORDER, .publisher = &ops,
              OUTBOX_OPTIONS(options));
