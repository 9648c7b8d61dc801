/*
 * encode_logs.c - log lines as one request
 * SPDX-License-Identifier: MIT
 */
#include "encode.h"

struct severity {
    Otlp__SeverityNumber number;
    const char *text;
};

static struct severity severity_of(uint32_t level)
{
    switch (level) {
    case OUTBOX_LOG_ERROR:
        return (struct severity){OTLP__SEVERITY_NUMBER__SEVERITY_NUMBER_ERROR, "ERROR"};
    case OUTBOX_LOG_WARN:
        return (struct severity){OTLP__SEVERITY_NUMBER__SEVERITY_NUMBER_WARN, "WARN"};
    case OUTBOX_LOG_INFO:
        return (struct severity){OTLP__SEVERITY_NUMBER__SEVERITY_NUMBER_INFO, "INFO"};
    default:
        return (struct severity){OTLP__SEVERITY_NUMBER__SEVERITY_NUMBER_DEBUG, "DEBUG"};
    }
}

static bool add_field(struct arena *arena, Otlp__LogRecord *message, const struct log_field *field)
{
    if (field->text)
        return otlp_add_text(arena, &message->n_attributes, &message->attributes, field->name,
                             outbox_slice_of(field->text));
    return otlp_add_number(arena, &message->n_attributes, &message->attributes, field->name,
                           field->number);
}

static bool add_record(struct arena *arena, Otlp__ScopeLogs *scope, const struct log_record *record)
{
    struct severity severity = severity_of(record->level);
    Otlp__LogRecord *message =
        otlp_add(arena, &otlp__log_record__descriptor, &scope->n_log_records, &scope->log_records);

    if (!message)
        return false;
    message->time_unix_nano = (uint64_t)record->time;
    message->observed_time_unix_nano = (uint64_t)record->time;
    message->severity_number = severity.number;
    message->severity_text = otlp_text(arena, outbox_slice_of(severity.text));
    message->body = otlp_text_value(arena, outbox_slice_of(record->message));
    for (size_t i = 0; i < record->field_count; i++)
        if (!add_field(arena, message, &record->fields[i]))
            return false;
    return message->severity_text && message->body;
}

const ProtobufCMessage *encode_logs(struct arena *arena, const struct resource *resource,
                                    const struct log_record *records)
{
    Otlp__ScopeLogs *scope = NULL;
    const ProtobufCMessage *request =
        otlp_request(arena, &otlp__export_logs_service_request__descriptor, resource, &scope);

    for (; request && records; records = records->next)
        if (!add_record(arena, scope, records))
            return NULL;
    return request;
}
