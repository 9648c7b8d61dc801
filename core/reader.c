/*
 * reader.c - lines of any length up to a limit, from a descriptor
 * SPDX-License-Identifier: MIT
 */
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_CAPACITY ((size_t)256 * 1024)

void reader_init(struct reader *reader, int fd, size_t limit)
{
    *reader = (struct reader){.fd = fd, .limit = limit};
}

void reader_clear(struct reader *reader)
{
    free(reader->buffer);
    reader->buffer = NULL;
    reader->capacity = 0;
}

/* Moves the unfinished line to the front and makes room behind it. */
static int make_room(struct reader *reader)
{
    if (reader->start > 0) {
        memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    if (reader->end < reader->capacity)
        return 0;

    size_t capacity = reader->capacity ? reader->capacity * 2 : FIRST_CAPACITY;
    char *buffer = realloc(reader->buffer, capacity);
    if (!buffer)
        return -1;
    reader->buffer = buffer;
    reader->capacity = capacity;
    return 0;
}

static int fill(struct reader *reader)
{
    ssize_t count;

    if (make_room(reader) < 0)
        return -1;
    do {
        count = read(reader->fd, reader->buffer + reader->end, reader->capacity - reader->end);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return -1;
    reader->at_end = count == 0;
    reader->end += (size_t)count;
    return 0;
}

static enum reader_status give(struct reader *reader, size_t size, size_t with_feed,
                               const char **line, size_t *length)
{
    *line = reader->buffer + reader->start;
    *length = size;
    reader->start += with_feed;
    reader->searched = 0;
    reader->line_number++;
    if (size <= reader->limit)
        return READER_LINE;
    return READER_TOO_LONG;
}

enum reader_status reader_next(struct reader *reader, const char **line, size_t *length)
{
    for (;;) {
        size_t size = reader->end - reader->start;
        const char *from = size ? reader->buffer + reader->start : NULL;
        const char *feed = size > reader->searched
                               ? memchr(from + reader->searched, '\n', size - reader->searched)
                               : NULL;
        if (feed)
            return give(reader, (size_t)(feed - from), (size_t)(feed - from) + 1, line, length);
        reader->searched = size;
        if (size > reader->limit || (reader->at_end && size > 0))
            return give(reader, size, size, line, length);
        if (reader->at_end)
            return READER_END;
        if (fill(reader) < 0)
            return READER_FAILED;
    }
}
