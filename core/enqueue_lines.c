/*
 * enqueue_lines.c - inserts a stream of lines, a transaction a batch
 * SPDX-License-Identifier: MIT
 */
#include "enqueue_lines.h"

#include "cli.h"
#include "ndjson.h"
#include "progress.h"
#include "reader.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_LIMIT ((size_t)64 * 1024 * 1024)
/* A batch of long lines is committed before it is full: memory stays bounded. */
#define BATCH_BYTES ((size_t)16 * 1024 * 1024)

struct stream {
    struct store_link *link;
    struct reader reader;
    struct ndjson_batch batch;
    uint64_t committed;      /* events */
    uint64_t committed_line; /* the last line that is dealt with, 0: none */
    uint64_t first_line;     /* of the batch at hand */
    uint64_t *lines;         /* of each event in it: blank lines have none */
    struct progress progress;
};

/* What a person needs to go on after a failure. */
static void tell_committed(const struct stream *stream)
{
    if (stream->committed == 0)
        cli_error("nothing is committed: correct the cause and send everything again");
    else
        cli_error("lines 1 to %" PRIu64 " (%" PRIu64
                  " events) are committed: correct the cause and "
                  "send the rest from line %" PRIu64 " on",
                  stream->committed_line, stream->committed, stream->committed_line + 1);
}

static int fail_line(struct stream *stream, const char *what)
{
    progress_end(&stream->progress);
    cli_error("line %" PRIu64 ": %s", stream->reader.line_number, what);
    tell_committed(stream);
    return CLI_FAILED;
}

/* A driver counts the events of a batch, "event 3 (...): ...", and knows nothing of lines. 0 if it
 * names none. */
static uint64_t line_of_event(const struct stream *stream, const char *text)
{
    static const char word[] = "event ";
    char *end;

    if (strncmp(text, word, sizeof(word) - 1) != 0 ||
        !isdigit((unsigned char)text[sizeof(word) - 1]))
        return 0;
    unsigned long long index = strtoull(text + sizeof(word) - 1, &end, 10);
    return index < stream->batch.count ? stream->lines[index] : 0;
}

static int fail_commit(struct stream *stream, enum outbox_status status,
                       const struct outbox_error *error)
{
    char reason[DRIVER_REASON], place[64] = "";
    uint64_t line = line_of_event(stream, error->text);

    progress_end(&stream->progress);
    if (line > 0)
        (void)snprintf(place, sizeof(place), "line %" PRIu64 ": ", line);
    cli_error("lines %" PRIu64 " to %" PRIu64 ": %s%s", stream->first_line,
              stream->reader.line_number, place, driver_reason(error, reason));
    if (status == OUTBOX_UNAVAILABLE || status == OUTBOX_TIMEOUT)
        cli_error("whether these %zu events are committed is not known: look before they are sent "
                  "again, or give each an id",
                  stream->batch.count);
    tell_committed(stream);
    return CLI_FAILED;
}

static int commit(struct stream *stream)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;
    const struct outbox_enqueue_request request = {
        .size = sizeof(request),
        .events = stream->batch.events,
        .event_size = sizeof(*stream->batch.events),
        .count = stream->batch.count,
    };

    if (stream->batch.count > 0) {
        enum outbox_status status =
            stream->link->ops->enqueue(stream->link->session, &request, &error);
        if (status != OUTBOX_OK)
            return fail_commit(stream, status, &error);
    }
    stream->committed += stream->batch.count;
    stream->committed_line = stream->reader.line_number;
    ndjson_batch_reset(&stream->batch);
    progress_show(&stream->progress, stream->committed);
    return CLI_DONE;
}

static int take_line(struct stream *stream, const char *line, size_t length)
{
    struct outbox_error error = OUTBOX_ERROR_INIT;

    if (ndjson_is_blank(line, length))
        return CLI_DONE;
    if (stream->batch.count == 0)
        stream->first_line = stream->reader.line_number;
    if (!ndjson_add(&stream->batch, line, length, &error))
        return fail_line(stream, error.text);
    stream->lines[stream->batch.count - 1] = stream->reader.line_number;
    if (stream->batch.count < stream->batch.capacity && stream->batch.bytes < BATCH_BYTES)
        return CLI_DONE;
    return commit(stream);
}

static int read_all(struct stream *stream)
{
    const char *line;
    size_t length;
    char what[128];
    int status = CLI_DONE;

    while (status == CLI_DONE) {
        switch (reader_next(&stream->reader, &line, &length)) {
        case READER_LINE:
            status = take_line(stream, line, length);
            break;
        case READER_END:
            status = commit(stream);
            progress_end(&stream->progress);
            return status;
        case READER_TOO_LONG:
            (void)snprintf(what, sizeof(what), "it is longer than the limit of %zu MiB",
                           LINE_LIMIT / 1024 / 1024);
            return fail_line(stream, what);
        case READER_FAILED:
            stream->reader.line_number++;
            (void)snprintf(what, sizeof(what), "cannot read standard input: %s", strerror(errno));
            return fail_line(stream, what);
        }
    }
    return status;
}

int enqueue_lines(struct store_link *link, size_t batch_size, uint64_t *committed)
{
    struct stream stream = {.link = link};
    int status = CLI_FAILED;

    progress_init(&stream.progress);
    reader_init(&stream.reader, STDIN_FILENO, LINE_LIMIT);
    stream.lines = calloc(batch_size, sizeof(*stream.lines));
    if (ndjson_batch_init(&stream.batch, batch_size) && stream.lines)
        status = read_all(&stream);
    else
        cli_error("out of memory for batches of %zu events", batch_size);
    *committed = stream.committed;
    ndjson_batch_clear(&stream.batch);
    free(stream.lines);
    reader_clear(&stream.reader);
    return status;
}
