/*
 * log_records.h - log lines on their way to the exporter
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_TELEMETRY_LOG_RECORDS_H
#define CORE_TELEMETRY_LOG_RECORDS_H

#include "../log.h"

/* In one piece of memory with all that it points to. */
struct log_record {
    struct log_record *next; /* the exporter's */
    int64_t time;            /* nanoseconds since 1970 */
    uint32_t level;
    const char *message;
    const struct log_field *fields;
    size_t field_count;
};

/* A copy of a line; texts are cut at LOG_RECORD_TEXT bytes. NULL if memory ran out. The caller
 * frees it with free(). */
#define LOG_RECORD_TEXT 2048
struct log_record *log_record_new(uint32_t level, const char *message,
                                  const struct log_field *fields, size_t count, int64_t time)
    __attribute__((warn_unused_result));

#endif
