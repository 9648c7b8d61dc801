/*
 * log.h - structured logs, for people or machines
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "config.h"

/* Before the configuration is read: level info, format auto (text on a terminal, JSON elsewhere).
 * Any thread may log at any time; a line is written with one write() to standard error. */
void log_setup(uint32_t level, enum log_format format);
bool log_enabled(uint32_t level);

struct log_field {
    const char *name;
    const char *text; /* or, if NULL: */
    long long number;
};

/* log_line(OUTBOX_LOG_WARN, "store is away", FIELD("pipeline", name), FIELD_NUMBER("wait_ms", 40));
 */
static inline struct log_field log_text_field(const char *name, const char *text)
{
    struct log_field field = {name, text ? text : "", 0};
    return field;
}
#define FIELD(name, text) log_text_field((name), (text))
#define FIELD_NUMBER(name, number) ((struct log_field){(name), NULL, (long long)(number)})
#define log_line(level, message, ...)                                                              \
    do {                                                                                           \
        if (log_enabled(level)) {                                                                  \
            const struct log_field log_fields[] = {{NULL, NULL, 0}, ##__VA_ARGS__};                \
            log_write((level), (message), log_fields + 1,                                          \
                      sizeof log_fields / sizeof *log_fields - 1);                                 \
        }                                                                                          \
    } while (0)
void log_write(uint32_t level, const char *message, const struct log_field *fields, size_t count);

/* Of lines of one kind only so many are written in a while, see log_limit.h. This says how many
 * were left out where the while is over; with `all`, everywhere. To be called from time to time,
 * and at the end. */
void log_flush(bool all);

/* Lines left out since the start. */
uint64_t log_suppressed(void);

/* Also hands each line that is written to `sink`, from the thread that writes it; NULL: no longer,
 * and none is under way when this returns. The sink must not log. */
typedef void log_sink(void *context, uint32_t level, const char *message,
                      const struct log_field *fields, size_t count);
void log_set_sink(log_sink *sink, void *context);

#endif
