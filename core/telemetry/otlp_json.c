/*
 * otlp_json.c - a message of OpenTelemetry's protocol in its JSON form
 * SPDX-License-Identifier: MIT
 */
#include "otlp_json.h"

#include "../text.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_TEXT 40

static const void *member(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

/* ---- Values ------------------------------------------------------------------------------- */

static void write_text(struct byte_buffer *out, const char *text)
{
    char piece[TEXT_ESCAPED_MAX];

    buffer_text(out, "\"");
    for (const char *end = text + strlen(text); text < end;)
        buffer_add(out, piece, text_escape_json(&text, end, piece));
    buffer_text(out, "\"");
}

/* Bytes are ids of traces and spans, nothing else. */
static void write_id(struct byte_buffer *out, const ProtobufCBinaryData *id)
{
    char pair[3];

    buffer_text(out, "\"");
    for (size_t i = 0; i < id->len; i++) {
        (void)snprintf(pair, sizeof(pair), "%02x", id->data[i]);
        buffer_text(out, pair);
    }
    buffer_text(out, "\"");
}

static void write_real(struct byte_buffer *out, double value)
{
    char text[NUMBER_TEXT];

    if (isnan(value) || isinf(value)) {
        buffer_text(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    (void)snprintf(text, sizeof(text), "%.17g", value);
    buffer_text(out, text);
}

static void write_number(struct byte_buffer *out, const char *format, int64_t value)
{
    char text[NUMBER_TEXT];
    (void)snprintf(text, sizeof(text), format, value);
    buffer_text(out, text);
}

static void write_value(struct byte_buffer *out, const ProtobufCFieldDescriptor *field,
                        const void *value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        write_text(out, *(const char *const *)value);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        write_id(out, value);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        otlp_json(out, *(const ProtobufCMessage *const *)value);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        buffer_text(out, *(const protobuf_c_boolean *)value ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        write_real(out, *(const double *)value);
        break;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_UINT64:
        write_number(out, "\"%" PRIu64 "\"", (int64_t) * (const uint64_t *)value);
        break;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_INT64:
        write_number(out, "\"%" PRId64 "\"", *(const int64_t *)value);
        break;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_UINT32:
        write_number(out, "%" PRId64, *(const uint32_t *)value);
        break;
    default: /* enum and int32 */
        write_number(out, "%" PRId64, *(const int32_t *)value);
        break;
    }
}

static size_t value_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_INT64:
        return sizeof(uint64_t);
    default:
        return sizeof(uint32_t);
    }
}

/* ---- Fields ------------------------------------------------------------------------------- */

static bool is_empty_value(const ProtobufCFieldDescriptor *field, const void *value)
{
    static const unsigned char zero[sizeof(ProtobufCBinaryData)];

    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = *(const char *const *)value;
        return !text || !*text;
    }
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)value)->len == 0;
    default:
        return memcmp(value, zero, value_size(field->type)) == 0;
    }
}

static bool is_left_out(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)member(message, field->quantifier_offset) == 0;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)member(message, field->quantifier_offset) != field->id;
    return is_empty_value(field, member(message, field->offset));
}

static void write_name(struct byte_buffer *out, const char *name)
{
    buffer_text(out, "\"");
    for (; *name; name++) {
        bool capital = *name == '_' && name[1];
        char letter = capital ? (char)toupper((unsigned char)*++name) : *name;
        buffer_add(out, &letter, 1);
    }
    buffer_text(out, "\":");
}

static void write_field(struct byte_buffer *out, const ProtobufCMessage *message,
                        const ProtobufCFieldDescriptor *field)
{
    const void *value = member(message, field->offset);

    write_name(out, field->name);
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        write_value(out, field, value);
        return;
    }
    size_t count = *(const size_t *)member(message, field->quantifier_offset);
    const char *items = *(const char *const *)value;
    for (size_t i = 0; i < count; i++) {
        buffer_text(out, i == 0 ? "[" : ",");
        write_value(out, field, items + i * value_size(field->type));
    }
    buffer_text(out, "]");
}

void otlp_json(struct byte_buffer *out, const ProtobufCMessage *message)
{
    const char *between = "";

    buffer_text(out, "{");
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (is_left_out(message, field))
            continue;
        buffer_text(out, between);
        write_field(out, message, field);
        between = ",";
    }
    buffer_text(out, "}");
}
