/*
 * otlp_message.c - makes the messages of OpenTelemetry's protocol in memory freed as a whole
 * SPDX-License-Identifier: MIT
 */
#include "otlp_message.h"

#include "../text.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"
#define REPLACEMENT_BYTES 3

void *otlp_new(struct arena *arena, const ProtobufCMessageDescriptor *kind)
{
    ProtobufCMessage *message = arena_alloc(arena, kind->sizeof_message);
    if (message)
        kind->message_init(message);
    return message;
}

/* An array of n pointers has room for the next power of two, 4 at least. */
static bool is_full(size_t count)
{
    return count == 0 || (count >= 4 && (count & (count - 1)) == 0);
}

void *otlp_add(struct arena *arena, const ProtobufCMessageDescriptor *kind, size_t *count,
               void *items)
{
    void **array, *message = otlp_new(arena, kind);

    if (!message)
        return NULL;
    memcpy(&array, items, sizeof(array));
    if (is_full(*count)) {
        void **larger = arena_alloc(arena, (*count ? *count * 2 : 4) * sizeof(*larger));
        if (!larger)
            return NULL;
        if (*count)
            memcpy(larger, array, *count * sizeof(*larger));
        array = larger;
        memcpy(items, &array, sizeof(array));
    }
    array[(*count)++] = message;
    return message;
}

char *otlp_text(struct arena *arena, struct outbox_slice text)
{
    char *copy = arena_alloc(arena, (size_t)text.len * REPLACEMENT_BYTES + 1), *to = copy;

    for (size_t at = 0; copy && at < text.len;) {
        size_t length = text_sequence(text.data + at, (size_t)text.len - at);
        bool is_text = length > 0 && text.data[at] != '\0';
        memcpy(to, is_text ? text.data + at : REPLACEMENT, is_text ? length : REPLACEMENT_BYTES);
        to += is_text ? length : REPLACEMENT_BYTES;
        at += is_text ? length : 1;
    }
    if (copy)
        *to = '\0';
    return copy;
}

Otlp__AnyValue *otlp_text_value(struct arena *arena, struct outbox_slice text)
{
    Otlp__AnyValue *value = otlp_new(arena, &otlp__any_value__descriptor);

    if (!value)
        return NULL;
    value->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
    value->string_value = otlp_text(arena, text);
    return value->string_value ? value : NULL;
}

static Otlp__KeyValue *add_pair(struct arena *arena, size_t *count, Otlp__KeyValue ***items,
                                const char *name)
{
    Otlp__KeyValue *pair = otlp_add(arena, &otlp__key_value__descriptor, count, items);
    if (pair)
        pair->key = otlp_text(arena, outbox_slice_of(name));
    return pair && pair->key ? pair : NULL;
}

bool otlp_add_text(struct arena *arena, size_t *count, Otlp__KeyValue ***items, const char *name,
                   struct outbox_slice text)
{
    Otlp__KeyValue *pair = add_pair(arena, count, items, name);
    if (pair)
        pair->value = otlp_text_value(arena, text);
    return pair && pair->value;
}

bool otlp_add_number(struct arena *arena, size_t *count, Otlp__KeyValue ***items, const char *name,
                     int64_t number)
{
    Otlp__KeyValue *pair = add_pair(arena, count, items, name);
    Otlp__AnyValue *value = pair ? otlp_new(arena, &otlp__any_value__descriptor) : NULL;

    if (!value)
        return false;
    value->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
    value->int_value = number;
    pair->value = value;
    return true;
}

static Otlp__Resource *new_resource(struct arena *arena, const struct resource *resource)
{
    Otlp__Resource *message = otlp_new(arena, &otlp__resource__descriptor);

    for (size_t i = 0; message && i < resource->count; i++) {
        const struct resource_attribute *attribute = &resource->attributes[i];
        bool added = attribute->text
                         ? otlp_add_text(arena, &message->n_attributes, &message->attributes,
                                         attribute->name, outbox_slice_of(attribute->text))
                         : otlp_add_number(arena, &message->n_attributes, &message->attributes,
                                           attribute->name, attribute->number);
        if (!added)
            return NULL;
    }
    return message;
}

static Otlp__InstrumentationScope *new_scope(struct arena *arena)
{
    Otlp__InstrumentationScope *scope = otlp_new(arena, &otlp__instrumentation_scope__descriptor);

    if (!scope)
        return NULL;
    scope->name = otlp_text(arena, outbox_slice_of("outbox-relay"));
    scope->version = otlp_text(arena, outbox_slice_of(OUTBOX_VERSION));
    return scope->name && scope->version ? scope : NULL;
}

/* Puts a message into the last field of another, a repeated one. */
static void *add_last(struct arena *arena, ProtobufCMessage *to)
{
    const ProtobufCFieldDescriptor *last = &to->descriptor->fields[to->descriptor->n_fields - 1];
    void *count = (char *)to + last->quantifier_offset;

    return otlp_add(arena, last->descriptor, count, (char *)to + last->offset);
}

static void set_first(ProtobufCMessage *of, const void *message)
{
    memcpy((char *)of + of->descriptor->fields[0].offset, &message, sizeof(message));
}

ProtobufCMessage *otlp_request(struct arena *arena, const ProtobufCMessageDescriptor *kind,
                               const struct resource *resource, void *scope)
{
    ProtobufCMessage *request = otlp_new(arena, kind);
    ProtobufCMessage *of_resource = request ? add_last(arena, request) : NULL;
    ProtobufCMessage *of_scope = of_resource ? add_last(arena, of_resource) : NULL;
    const Otlp__Resource *about = of_scope ? new_resource(arena, resource) : NULL;
    const Otlp__InstrumentationScope *by = about ? new_scope(arena) : NULL;

    if (!by)
        return NULL;
    set_first(of_resource, about);
    set_first(of_scope, by);
    memcpy(scope, &of_scope, sizeof(of_scope));
    return request;
}
