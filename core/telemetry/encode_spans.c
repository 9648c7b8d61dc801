/*
 * encode_spans.c - finished spans as one request
 * SPDX-License-Identifier: MIT
 */
#include "encode.h"

#include <string.h>

/* The low byte is that of W3C's trace context: sampled. The relay cannot tell whether a parent
 * lives in another process, so the bits that would say so stay clear. */
#define FLAG_SAMPLED 1

/* Borrowed from the span. */
static ProtobufCBinaryData id_bytes(const unsigned char *id, size_t length)
{
    static const unsigned char none[TRACE_ID];

    if (memcmp(id, none, length) == 0)
        return (ProtobufCBinaryData){0};
    return (ProtobufCBinaryData){length, (uint8_t *)id};
}

static bool add_link(struct arena *arena, Otlp__Span *message, const struct span *span)
{
    ProtobufCBinaryData span_id = id_bytes(span->link.span_id, SPAN_ID);
    if (span_id.len == 0)
        return true;
    Otlp__Link *link = otlp_add(arena, &otlp__link__descriptor, &message->n_links, &message->links);
    if (!link)
        return false;
    link->trace_id = id_bytes(span->link.trace_id, TRACE_ID);
    link->span_id = span_id;
    return true;
}

static bool add_status(struct arena *arena, Otlp__Span *message, const struct span *span)
{
    if (!span->failed)
        return true;
    message->status = otlp_new(arena, &otlp__status__descriptor);
    if (!message->status)
        return false;
    message->status->code = OTLP__STATUS_CODE__STATUS_CODE_ERROR;
    message->status->message = otlp_text(arena, span->failure);
    return message->status->message;
}

static bool add_attributes(struct arena *arena, Otlp__Span *message, const struct span *span)
{
    for (size_t i = 0; i < span->attribute_count; i++) {
        const struct span_attribute *attribute = &span->attributes[i];
        bool added = attribute->text.data
                         ? otlp_add_text(arena, &message->n_attributes, &message->attributes,
                                         attribute->name, attribute->text)
                         : otlp_add_number(arena, &message->n_attributes, &message->attributes,
                                           attribute->name, attribute->number);
        if (!added)
            return false;
    }
    return true;
}

static bool add_span(struct arena *arena, Otlp__ScopeSpans *scope, const struct span *span)
{
    Otlp__Span *message = otlp_add(arena, &otlp__span__descriptor, &scope->n_spans, &scope->spans);

    if (!message)
        return false;
    message->trace_id = id_bytes(span->context.trace_id, TRACE_ID);
    message->span_id = id_bytes(span->context.span_id, SPAN_ID);
    message->parent_span_id = id_bytes(span->parent_id, SPAN_ID);
    message->name = otlp_text(arena, span->name);
    message->trace_state = otlp_text(arena, span->trace_state);
    message->kind = (Otlp__SpanKind)span->kind;
    message->start_time_unix_nano = (uint64_t)span->start;
    message->end_time_unix_nano = (uint64_t)span->end;
    message->flags = FLAG_SAMPLED;
    return message->name && message->trace_state && add_link(arena, message, span) &&
           add_status(arena, message, span) && add_attributes(arena, message, span);
}

/* What follows the last span is still being added to. */
static bool add_spans(struct arena *arena, Otlp__ScopeSpans *scope, const struct span_list *list,
                      uint64_t at, uint64_t count)
{
    for (; count > 0; count--, at++) {
        while (at >= list->count) {
            list = list->next;
            at = 0;
        }
        if (!add_span(arena, scope, &list->spans[at]))
            return false;
    }
    return true;
}

const ProtobufCMessage *encode_spans(struct arena *arena, const struct resource *resource,
                                     const struct span_list *lists, uint64_t offset, uint64_t count)
{
    Otlp__ScopeSpans *scope = NULL;
    const ProtobufCMessage *request =
        otlp_request(arena, &otlp__export_trace_service_request__descriptor, resource, &scope);

    return request && add_spans(arena, scope, lists, offset, count) ? request : NULL;
}
