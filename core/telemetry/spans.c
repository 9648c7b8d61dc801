/*
 * spans.c - finished spans on their way to the exporter
 * SPDX-License-Identifier: MIT
 */
#include "spans.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_BLOCK 4096

struct span_list *span_list_new(uint64_t capacity)
{
    struct span_list *list = NULL;

    if (capacity <= (SIZE_MAX - sizeof(*list)) / sizeof(list->spans[0]))
        list = malloc(sizeof(*list) + (size_t)capacity * sizeof(list->spans[0]));
    if (!list)
        return NULL;
    list->next = NULL;
    list->count = 0;
    list->capacity = capacity;
    arena_init(&list->arena, TEXT_BLOCK);
    return list;
}

void span_list_free(struct span_list **list)
{
    if (!*list)
        return;
    arena_clear(&(*list)->arena);
    free(*list);
    *list = NULL;
}

struct span *span_list_add(struct span_list *list)
{
    if (list->count == list->capacity)
        return NULL;
    struct span *span = &list->spans[list->count++];
    *span = (struct span){.kind = SPAN_INTERNAL};
    return span;
}

struct outbox_slice span_list_text(struct span_list *list, struct outbox_slice text)
{
    uint64_t len = text.len < SPAN_TEXT ? text.len : SPAN_TEXT;
    char *copy = text.data ? arena_alloc(&list->arena, (size_t)len) : NULL;

    if (!copy)
        return (struct outbox_slice){NULL, 0};
    memcpy(copy, text.data, (size_t)len);
    return (struct outbox_slice){copy, len};
}

static struct span_attribute *attribute_add(struct span *span, const char *name)
{
    if (span->attribute_count == SPAN_ATTRIBUTES)
        return NULL;
    struct span_attribute *attribute = &span->attributes[span->attribute_count++];
    *attribute = (struct span_attribute){.name = name};
    return attribute;
}

void span_text(struct span *span, const char *name, struct outbox_slice text)
{
    struct span_attribute *attribute = text.data ? attribute_add(span, name) : NULL;
    if (attribute)
        attribute->text = text;
}

void span_number(struct span *span, const char *name, int64_t number)
{
    struct span_attribute *attribute = attribute_add(span, name);
    if (attribute)
        attribute->number = number;
}
