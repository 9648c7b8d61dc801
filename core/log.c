/*
 * log.c - structured logs, for people or machines
 * SPDX-License-Identifier: MIT
 */
#include "log.h"

#include "log_limit.h"
#include "text.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A pipe takes so much at once or not at all, so lines of several relays never mix in one. */
#define LINE_BYTES PIPE_BUF
/* Kept free for what ends a line, the mark of a cut value included: ..."}\n */
#define TAIL_BYTES 8
/* A line of more is not told how many were left out before it. */
#define MOST_FIELDS 32

static _Atomic uint32_t chosen_level = OUTBOX_LOG_INFO;
static _Atomic int chosen_format = LOG_FORMAT_AUTO;

static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_limit limit; /* under limit_lock */

static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(log_sink *) sink; /* set under sink_lock */
static void *sink_context;       /* under sink_lock */

struct line {
    char bytes[LINE_BYTES];
    size_t length;
    bool full; /* something did not fit: only the tail may follow */
};

void log_setup(uint32_t level, enum log_format format)
{
    atomic_store(&chosen_level, level);
    atomic_store(&chosen_format, (int)format);
}

bool log_enabled(uint32_t level)
{
    return level <= atomic_load_explicit(&chosen_level, memory_order_relaxed);
}

static const char *level_name(uint32_t level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    return level < sizeof(names) / sizeof(*names) ? names[level] : "debug";
}

/* Takes all or nothing. */
static bool line_add(struct line *line, const char *bytes, size_t length)
{
    if (line->full || line->length + length + TAIL_BYTES > sizeof(line->bytes)) {
        line->full = true;
        return false;
    }
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
    return true;
}

static bool line_text(struct line *line, const char *text)
{
    return line_add(line, text, strlen(text));
}

static void line_tail(struct line *line, const char *text)
{
    size_t length = strlen(text);
    memcpy(line->bytes + line->length, text, length);
    line->length += length;
}

/* What does not fit is cut between two characters, and marked. */
static void line_escaped(struct line *line, const char *text, bool json, bool quoted)
{
    const char *end = text + strlen(text);
    char piece[TEXT_ESCAPED_MAX];

    while (text < end && !line->full) {
        if (quoted && !json && *text == '"') {
            (void)line_text(line, "\\\"");
            text++;
            continue;
        }
        size_t length =
            json ? text_escape_json(&text, end, piece) : text_escape_plain(&text, end, piece);
        (void)line_add(line, piece, length);
    }
    if (line->full)
        line_tail(line, "...");
}

static bool needs_quotes(const char *text)
{
    if (*text == '\0')
        return true;
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || strchr("\"=\\\x7f", *text))
            return true;
    return false;
}

static void line_time(struct line *line)
{
    struct timespec now;
    struct tm utc = {0};
    char text[64];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + length, sizeof(text) - length, ".%03ldZ", now.tv_nsec / 1000000);
    (void)line_text(line, text);
}

/* A field whose name or number does not fit is left out whole; a text is cut. */
static void line_field(struct line *line, const struct log_field *field, bool json)
{
    size_t start = line->length;
    bool quoted = field->text && (json || needs_quotes(field->text));
    char number[32];

    bool named = line_text(line, json ? ",\"" : " ") && line_text(line, field->name) &&
                 line_text(line, json ? "\":" : "=") && (!quoted || line_text(line, "\""));
    if (named && !field->text) {
        (void)snprintf(number, sizeof(number), "%lld", field->number);
        named = line_text(line, number);
    }
    if (!named) {
        line->length = start;
        return;
    }
    if (!field->text)
        return;
    line_escaped(line, field->text, json, quoted);
    if (quoted)
        line_tail(line, "\"");
}

static void line_begin(struct line *line, uint32_t level, const char *message, bool json)
{
    if (json) {
        (void)line_text(line, "{\"time\":\"");
        line_time(line);
        (void)line_text(line, "\",\"level\":\"");
        (void)line_text(line, level_name(level));
        (void)line_text(line, "\",\"message\":\"");
        line_escaped(line, message, true, true);
        line_tail(line, "\"");
        return;
    }
    char name[16];
    line_time(line);
    (void)snprintf(name, sizeof(name), " %-5s ", level_name(level));
    (void)line_text(line, name);
    line_escaped(line, message, false, false);
}

/* Nobody is left to tell when standard error itself fails: the rest of the line is given up. */
static void write_out(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        bytes += written;
        length -= (size_t)written;
    }
}

static void hand_on(uint32_t level, const char *message, const struct log_field *fields,
                    size_t count)
{
    if (!atomic_load_explicit(&sink, memory_order_relaxed))
        return;
    (void)pthread_mutex_lock(&sink_lock);
    log_sink *current = atomic_load(&sink);
    if (current)
        current(sink_context, level, message, fields, count);
    (void)pthread_mutex_unlock(&sink_lock);
}

static void emit(uint32_t level, const char *message, const struct log_field *fields, size_t count)
{
    struct line line;
    int format = atomic_load(&chosen_format);
    bool json = format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && !isatty(STDERR_FILENO));

    line.length = 0;
    line.full = false;
    line_begin(&line, level, message, json);
    for (size_t i = 0; i < count && !line.full; i++)
        line_field(&line, &fields[i], json);
    line_tail(&line, json ? "}\n" : "\n");
    write_out(line.bytes, line.length);
    hand_on(level, message, fields, count);
}

/* ---- Repeated lines ----------------------------------------------------------------------- */

static void tell_suppressed(const struct log_kind *kind)
{
    struct log_field fields[4] = {FIELD("line", kind->message)};
    size_t count = 1;

    if (*kind->pipeline)
        fields[count++] = FIELD("pipeline", kind->pipeline);
    if (*kind->driver)
        fields[count++] = FIELD("driver", kind->driver);
    fields[count++] = FIELD_NUMBER("suppressed", kind->suppressed);
    emit(kind->level, "lines were left out that said the same", fields, count);
}

static void emit_limited(uint32_t level, const char *message, const struct log_field *fields,
                         size_t count)
{
    struct log_field more[MOST_FIELDS];
    struct log_kind ended;
    uint64_t left_out;

    (void)pthread_mutex_lock(&limit_lock);
    enum log_passage passage =
        log_limit_pass(&limit, level, message, fields, count, clock_now(), &left_out, &ended);
    (void)pthread_mutex_unlock(&limit_lock);
    if (passage == LOG_IS_SUPPRESSED)
        return;
    if (passage == LOG_ENDS_OTHER)
        tell_suppressed(&ended);
    if (left_out > 0 && count < MOST_FIELDS) {
        memcpy(more, fields, count * sizeof(*fields));
        more[count++] = FIELD_NUMBER("suppressed", left_out);
        fields = more;
    }
    emit(level, message, fields, count);
}

void log_write(uint32_t level, const char *message, const struct log_field *fields, size_t count)
{
    int kept_errno = errno;

    if (level < OUTBOX_LOG_DEBUG)
        emit_limited(level, message, fields, count);
    else
        emit(level, message, fields, count);
    errno = kept_errno;
}

void log_flush(bool all)
{
    struct log_kind ended;
    bool found;

    do {
        (void)pthread_mutex_lock(&limit_lock);
        found = log_limit_take(&limit, clock_now(), all, &ended);
        (void)pthread_mutex_unlock(&limit_lock);
        if (found)
            tell_suppressed(&ended);
    } while (found);
}

uint64_t log_suppressed(void)
{
    (void)pthread_mutex_lock(&limit_lock);
    uint64_t suppressed = limit.suppressed;
    (void)pthread_mutex_unlock(&limit_lock);
    return suppressed;
}

void log_set_sink(log_sink *wanted, void *context)
{
    (void)pthread_mutex_lock(&sink_lock);
    sink_context = context;
    atomic_store(&sink, wanted);
    (void)pthread_mutex_unlock(&sink_lock);
}
