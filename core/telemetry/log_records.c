/*
 * log_records.c - log lines on their way to the exporter
 * SPDX-License-Identifier: MIT
 */
#include "log_records.h"

#include <stdlib.h>
#include <string.h>

static size_t text_bytes(const char *text)
{
    return text ? strnlen(text, LOG_RECORD_TEXT) + 1 : 0;
}

static const char *copy_text(char **room, const char *text)
{
    if (!text)
        return NULL;
    char *copy = *room;
    size_t length = strnlen(text, LOG_RECORD_TEXT);
    memcpy(copy, text, length);
    copy[length] = '\0';
    *room += length + 1;
    return copy;
}

struct log_record *log_record_new(uint32_t level, const char *message,
                                  const struct log_field *fields, size_t count, int64_t time)
{
    struct log_record *record;
    size_t texts = text_bytes(message);

    for (size_t i = 0; i < count; i++)
        texts += text_bytes(fields[i].name) + text_bytes(fields[i].text);
    record = malloc(sizeof(*record) + count * sizeof(*fields) + texts);
    if (!record)
        return NULL;
    struct log_field *copies = (struct log_field *)(record + 1);
    char *room = (char *)(copies + count);
    *record = (struct log_record){.time = time,
                                  .level = level,
                                  .message = copy_text(&room, message),
                                  .fields = copies,
                                  .field_count = count};
    for (size_t i = 0; i < count; i++) {
        const char *name = copy_text(&room, fields[i].name);
        copies[i] = (struct log_field){name, copy_text(&room, fields[i].text), fields[i].number};
    }
    return record;
}
