/*
 * reader.h - lines of any length up to a limit, from a descriptor
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_READER_H
#define CORE_READER_H

#include <stddef.h>
#include <stdint.h>

enum reader_status {
    READER_LINE,
    READER_END,
    READER_TOO_LONG, /* the line at `line_number` is longer than the limit */
    READER_FAILED    /* errno says why */
};

/* One thread. */
struct reader {
    int fd;
    size_t limit;
    char *buffer;
    size_t capacity;
    size_t start, end; /* of what is read and not given out */
    size_t searched;   /* from start on, no line feed is before it */
    int at_end;
    uint64_t line_number; /* of the line given out last, from 1 */
};

/* The descriptor stays the caller's. */
void reader_init(struct reader *reader, int fd, size_t limit);
void reader_clear(struct reader *reader);

/* The next line without its line feed, which the last one need not have. `*line` stays
 * until the next call and is not ended by NUL. */
enum reader_status reader_next(struct reader *reader, const char **line, size_t *length)
    __attribute__((warn_unused_result));

#endif
